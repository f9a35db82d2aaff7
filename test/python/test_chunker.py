#!/usr/bin/env python3
"""Where the chunker cuts: by the bytes alone, within its bounds.

Compiles src/bytes/chunker.c apart; needs no server.
"""

import ctypes
import os
import random
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "bench"))
import chunking                                     # noqa: E402

MIN, AVERAGE, MAX = 32, 64, 256                     # KiB, as in src/bytes/chunker.h
DATA = random.Random(1).randbytes(6 * chunking.MB)


class ChunkerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.ends = staticmethod(chunking.by_content(cls.directory, (MIN, AVERAGE, MAX)))

    def ends_in_runs(self, data, runs):
        """The same, but the bytes come in runs of these sizes."""
        library = ctypes.CDLL(os.path.join(self.directory, f"{MIN}_{AVERAGE}_{MAX}.so"))
        library.mr_chunker_next.restype = ctypes.c_size_t
        state, cut = ctypes.create_string_buffer(16), ctypes.c_bool()
        library.mr_chunker_reset(state)
        begin, ends = 0, []
        while begin < len(data):
            run = data[begin:begin + runs()]
            while run:
                taken = library.mr_chunker_next(state, run, ctypes.c_size_t(len(run)),
                                                ctypes.byref(cut))
                begin += taken
                run = run[taken:]
                if cut.value:
                    ends.append(begin)
        return ends if ends and ends[-1] == len(data) else [*ends, len(data)]

    def test_bounds(self):
        for data in DATA, bytes(3 * chunking.MB), b"period" * 400_000, b"short":
            ends = [0, *self.ends(data)]
            sizes = [end - begin for begin, end in zip(ends, ends[1:])]
            self.assertEqual(ends[-1], len(data))
            self.assertLessEqual(max(sizes), MAX * 1024)
            self.assertTrue(all(size >= MIN * 1024 for size in sizes[:-1]))
        self.assertAlmostEqual(len(DATA) / len(list(self.ends(DATA))) / 1024, 78, delta=8)

    def test_runs_do_not_matter(self):
        expected = list(self.ends(DATA))
        source = random.Random(2)
        for runs in (lambda: 1000, lambda: source.randint(1, 200_000), lambda: 65536):
            self.assertEqual(self.ends_in_runs(DATA, runs), expected)
        self.assertEqual(self.ends_in_runs(DATA[:300_000], lambda: 1),
                         list(self.ends(DATA[:300_000])))

    def test_the_format(self):
        """Other cuts would share nothing with what is stored."""
        header = chunking.SOURCE.with_suffix(".h").read_text()
        for name, size in ("MIN", MIN), ("AVERAGE", AVERAGE), ("MAX", MAX):
            self.assertIn(f"#define MR_CHUNK_{name} ({size} * 1024)", header)
        self.assertEqual(list(self.ends(DATA))[:6], CUTS)

    def test_insertion(self):
        parent = {size for size in chunking.chunks(self.ends, DATA)}
        child = chunking.chunks(self.ends, DATA[:100_000] + b"x" * 1000 + DATA[100_000:])
        self.assertLessEqual(len(set(child) - parent), 3)


CUTS = [89082, 155177, 194768, 274645, 345213, 415897]


if __name__ == "__main__":
    unittest.main()
