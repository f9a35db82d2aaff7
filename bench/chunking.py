#!/usr/bin/env python3
"""Measure where artifacts should be cut: what two versions of a model share.

    tools/python bench/chunking.py      about two minutes

Needs a C compiler and the headers of the server that pg_config (or PG_CONFIG)
names, but no server.  Compiles src/bytes/chunker.c for other sizes, cuts pairs of
artifacts with it and prints Markdown tables.  Seeds are fixed: the same versions of
scikit-learn and NumPy give the same artifacts, but for trees that joblib loaded, which
it pads with what was in the memory.
"""

import copy
import ctypes
import gzip
import hashlib
import io
import itertools
import json
import os
import pickle
import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import IsolationForest, RandomForestClassifier

SOURCE = Path(__file__).parent.parent / "src/bytes/chunker.c"
KB, MB, GB = 1024, 1024 * 1024, 1024 * 1024 * 1024
# Minimum, average, maximum in KiB.  The first, too fine for use, tells what is shared.
SIZES = [(0.25, 1, 4), (8, 32, 128), (16, 64, 256), (32, 64, 256), (32, 128, 512),
         (64, 256, 1024)]
FIXED = [64]
# What a chunk costs besides its bytes, measured with COPY into such tables: two rows
# and their index entries; what its last piece leaves empty in the page of several.
ROWS, LAST_PIECE = 325, 450


def by_content(directory, sizes):
    """What tells the ends of chunks: src/bytes/chunker.c, compiled for these sizes."""
    headers = subprocess.check_output(
        [os.environ.get("PG_CONFIG", "pg_config"), "--includedir-server"], text=True)
    library = Path(directory, "_".join(map(str, sizes)) + ".so")
    macros = (f"-DMR_CHUNK_{name}={int(size * KB)}"
              for name, size in zip(("MIN", "AVERAGE", "MAX"), sizes))
    subprocess.check_call([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", *macros,
                           "-I" + headers.strip(), "-I", SOURCE.parent.parent, SOURCE,
                           "-o", library])
    library = ctypes.CDLL(library)
    library.mr_chunker_next.restype = ctypes.c_size_t

    def ends(data):
        state = ctypes.create_string_buffer(16)     # an MrChunker
        cut = ctypes.byref(ctypes.c_bool())
        address = np.frombuffer(data, np.uint8).ctypes.data
        library.mr_chunker_reset(state)
        end = 0
        while end < len(data):
            # Given all that is left, it returns at each cut.
            end += library.mr_chunker_next(state, ctypes.c_void_p(address + end),
                                           ctypes.c_size_t(len(data) - end), cut)
            yield end
    return ends


def by_size(size):
    return lambda data: [*range(size * KB, len(data), size * KB), len(data)]


def chunks(ends, data):
    """A digest and the size of each chunk."""
    view = memoryview(data)
    return [(hashlib.blake2b(view[begin:end]).digest(), end - begin)
            for begin, end in itertools.pairwise([0, *ends(data)])]


def share(ends, parent, child):
    """How many chunks the child has, and % of it that a store of the parent lacks."""
    listed = chunks(ends, child)
    new = dict(listed).items() - set(chunks(ends, parent))
    return len(listed), 100 * sum(size for _, size in new) / len(child)


def speeds(cutters):
    """Median MB/s of each, and of SHA-256, which a registration takes anyway."""
    data = np.random.default_rng(0).bytes(64 * MB)
    work = cutters | {"SHA-256": lambda data: hashlib.sha256(data).digest()}
    times = {name: [] for name in work}
    for _ in range(5):
        for name, run in work.items():
            start = time.perf_counter()
            list(run(data))
            times[name].append(time.perf_counter() - start)
    return {k: f"{len(data) / 1e6 / statistics.median(t):.0f}" for k, t in times.items()}


# Pairs of artifacts: what is between them, the parent and the child


def dumped(model, **options):
    file = io.BytesIO()
    joblib.dump(model, file, **options)
    return file.getvalue()


FORMATS = {"pickle": pickle.dumps, "joblib": dumped,
           "joblib compress=3": lambda model: dumped(model, compress=3),
           "pickle.gz": lambda model: gzip.compress(pickle.dumps(model), 6, mtime=0)}


def grow(model, data):
    """Put more trees, one for ten, behind those that the model has."""
    more = model.n_estimators * 11 // 10
    return model.set_params(n_estimators=more, warm_start=True).fit(*data)


def retrained(what, model, old, data):
    """Fit the model to the old data; pairs of it and what becomes of it."""
    other = clone(model).fit(*data)
    parents = {how: FORMATS[how](model.fit(*old)) for how in ("pickle", "joblib")}
    loaded = {how: joblib.load(io.BytesIO(dump)) for how, dump in parents.items()}
    grow(model, old)
    for how, parent in parents.items():
        for change, child in (("10 % more trees", model),
                              ("loaded, 10 % more trees", grow(loaded[how], old)),
                              ("anew on 10 % more data", other)):
            yield f"{what}, {how}: {change}", parent, FORMATS[how](child)


def forests():
    x, y = make_classification(22_000, 20, n_informative=10, flip_y=0.1, random_state=0)
    x = x.astype(np.float32)
    old = x[:20_000], y[:20_000]
    forest = RandomForestClassifier(100, n_jobs=2, random_state=0)
    isolation = IsolationForest(n_estimators=1500, n_jobs=2, random_state=0)
    yield from retrained("forest", clone(forest), old, (x, y))
    # A tree of it is smaller than most chunks.
    yield from retrained("isolation forest", clone(isolation), old[:1], (x,))
    # The model is the same, but pickle counts the objects before it.
    isolation.fit(x)
    yield ("isolation forest, pickle: two notes in front", *(
        pickle.dumps({"notes": notes, "model": isolation})
        for notes in ({}, {"owner": "somebody", "why": "new data"})))

    forest.fit(*old)
    changed = copy.copy(forest)
    changed.estimators_ = [*forest.estimators_]
    changed.estimators_[50] = RandomForestClassifier(1, random_state=1).fit(*old)[0]
    for how in "pickle", "joblib compress=3", "pickle.gz":
        yield (f"forest, {how}: 51st of 100 trees replaced",
               *map(FORMATS[how], (forest, changed)))
    yield ("forest, pickle.gz: a parameter in front changed", *map(
        FORMATS["pickle.gz"], (forest, copy.copy(forest).set_params(random_state=1000))))


def safetensors(tensors):
    header, offset = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": tensor.shape,
                        "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *tensors.values()])


def weights():
    rng = np.random.default_rng(0)

    def layers(**shapes):
        return {f"layers.{i:02}.{what}": rng.standard_normal(shape, np.float32) / 50
                for i in range(12) for what, shape in shapes.items()}

    shapes = {"attention": (1536, 384), "bias": 1536, "mlp": (3072, 384)}
    old, other = layers(**shapes), layers(**shapes)
    both = old | layers(lora_a=(8, 384), lora_b=(1536, 8))
    for change, new in (
            ("one layer of 12 changed", {k: (other if "05" in k else old)[k] for k in old}),
            ("12 biases of 6 KB changed",
             {k: (other if "bias" in k else old)[k] for k in old}),
            ("all weights changed a little", {k: old[k] + other[k] / 1000 for k in old}),
            ("LoRA appended", both),
            ("LoRA in each layer", dict(sorted(both.items())))):
        yield f"safetensors: {change}", safetensors(old), safetensors(new)


def containers():
    rng = np.random.default_rng(0)
    strings = [rng.bytes(n).hex() for n in rng.integers(5, 25, 400_000)]
    # pickle begins anew each 64 KiB and each 1,000 strings: then at another place.
    yield ("list of 400,000 strings, pickle: one inserted in front",
           *map(pickle.dumps, (strings, ["new", *strings])))

    old = {"note": "", "strings": strings[:1000],
           **{f"array {i}": rng.standard_normal(1_000_000) for i in range(5)}}
    new = old | {"note": "x" * 1000, "array 2": old["array 2"].copy()}
    new["array 2"][300_000:400_000] += 1
    yield ("dict of 5 arrays, pickle: 1,000 bytes in front, 10 % of an array changed",
           *map(pickle.dumps, (old, new)))

    old = rng.standard_normal((100_000, 128), np.float32)
    new = old.copy()
    new[rng.choice(len(old), 50, replace=False)] *= 2
    yield ("embeddings, pickle: 50 rows of 100,000 changed",
           *map(pickle.dumps, (old, new)))


def print_table(title, head, lines):
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|---|{'---:|' * (len(head) - 1)}")
    for line in lines:
        print(f"| {' | '.join(line)} |")


def main():
    with tempfile.TemporaryDirectory() as directory:
        cutters = {"/".join(map(str, s)): by_content(directory, s) for s in SIZES}
        speed = speeds(cutters)
        cutters |= {f"fixed {size}": by_size(size) for size in FIXED}
        table = [(f"{what} ({len(child) / MB:.0f} MB)", len(child),
                  [share(ends, parent, child) for ends in cutters.values()])
                 for what, parent, child in
                 itertools.chain(forests(), weights(), containers())]
    print_table("Growth: bytes of the child that a store lacks, in %", ["pair", *cutters],
                [[what, *(f"{growth:.1f}" for _, growth in row)] for what, _, row in table])
    lines, total = [], sum(size for _, size, _ in table)
    for i, name in enumerate(cutters):
        per_gb = GB * sum(row[i][0] for _, _, row in table) / total
        # Where there is nothing to share, no choice is better than another.
        growths = [row[i][1] for _, _, row in table if row[0][1] < 90]
        lines.append([name, f"{GB / KB / per_gb:.0f}", f"{2 * per_gb:,.0f}",
                      f"{per_gb * ROWS / MB:.1f}", f"{per_gb * LAST_PIECE / MB:.1f}",
                      f"{statistics.mean(growths):.1f}", speed.get(name, "")])
    print_table(f"Costs; growth is the mean of the {len(growths)} pairs that can share"
                f" (SHA-256: {speed['SHA-256']} MB/s)",
                ["sizes", "mean KiB", "rows per GB", "MB of them", "MB left empty",
                 "growth %", "scan MB/s"], lines)


if __name__ == "__main__":
    main()
