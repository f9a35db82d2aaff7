"""The command line: push and pull."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli_case import COMMAND, DAMAGED, FAILURE, METRICS, NOT_FOUND, REFUSED, USAGE, Run, read, until
from modelreg import ModelRegistry, ModelVersion

pytest_plugins = ["cli_case"]


# ---- Registering ----


def test_push_of_what_is_not_whole(
    run: Run, registry: ModelRegistry, sql: psycopg.Connection[Any], model: str, tmp_path: Path
) -> None:
    """Each is named, and nothing is left: no version, and no upload either."""
    # An ONNX model whose graph has a tensor in another file; it needs no library to see that.
    tensor = b"\x42\x01w" + b"\x70\x01" + b"\x4a\x80\x80\x80\x01" + bytes(2 << 20)
    graph = b"\x2a" + _varint(len(tensor)) + tensor
    (tmp_path / "model.onnx").write_bytes(b"\x3a" + _varint(len(graph)) + graph)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(b"x")
    (tree / "gone").symlink_to("nowhere")
    for path, said in (("model.onnx", 'tensor "w" is in a file beside'), ("tree", "leads nowhere")):
        done = run("push", path, "--name", model, "--metric", "a=1", code=None)
        assert done.returncode in (FAILURE, USAGE)
        assert said in done.stderr
        assert "is kept" not in done.stderr
    assert registry.list_versions(model_name=model) == []
    assert sql.execute("SELECT count(*) FROM modelreg.upload").fetchone() == (0,)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def test_push_file(run: Run, registry: ModelRegistry, model: str, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"the bytes")
    (tmp_path / "metrics.json").write_text('{"f1": 0.5, "auc": 0.75}')
    (tmp_path / "params.json").write_text('{"depth": 1, "kept": [1]}')
    parent = run("push", "model.pkl", "--name", model, "--metric", "f1=0.1", "-q")
    assert parent.stderr == ""
    parent_id = parent.stdout.strip()
    done = run(
        *("push", "model.pkl", "--name", model, "--type", "forest", "--version", "2.0.0-rc.1"),
        *("--stage", "staging", "--metrics-file", "metrics.json", "--metric", "f1=0.9"),
        *("--tag", "a", "--tag", "b c", "--notes", "line 1\nline 2", "--param", "depth=3"),
        *("--params-file", "params.json", "--param", "name=text", "--dataset-version", "d1"),
        *("--parent", f"{model}==0.1.0", "--property", "team=ml", "--property", 'x={"y": null}'),
        *("--trained-at", "2024-12-05T14:30:00Z"),
        *("--sha256", hashlib.sha256(b"the bytes").hexdigest().upper()),
    )
    version = registry.get_model_info(done.stdout.strip())
    assert version is not None
    assert done.stderr == f"modelreg: 2.0.0-rc.1 of {model}, in staging\n"
    assert (version.model_type, version.version) == ("forest", "2.0.0-rc.1")
    assert version.deployment_stage == "staging"
    assert version.performance_metrics == {"f1": 0.9, "auc": 0.75}
    assert (version.tags, version.notes) == (["a", "b c"], "line 1\nline 2")
    assert version.model_config == {"depth": 3, "kept": [1], "name": "text"}
    assert (version.dataset_version, version.parent_ids) == ("d1", [parent_id])
    assert version.properties == {
        "modelreg.serializer": "pickle",
        "modelreg.filename": "model.pkl",
        "team": "ml",
        "x": {"y": None},
    }
    assert version.created_at.isoformat() == "2024-12-05T14:30:00+00:00"
    assert registry.load_bytes(version.model_id) == b"the bytes"


def test_push_directory_and_pull_it(run: Run, model: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "MLmodel").write_text("flavors: {}")
    (source / "sub" / "empty").touch()
    pushed = read(run("push", "source", "--name", model, "--metric", "f1=1", "--json"))
    assert pushed["file_count"] == 2
    assert run("pull", model, "-o", "copy").stdout == "copy\n"
    assert (tmp_path / "copy" / "MLmodel").read_text() == "flavors: {}"
    assert (tmp_path / "copy" / "sub" / "empty").read_bytes() == b""
    # Under its id, if no other name is given
    assert run("pull", model).stdout == f"{pushed['model_id']}\n"
    assert (tmp_path / pushed["model_id"] / "MLmodel").is_file()
    # Not into what is there, and with --force file by file
    assert "is there already" in run("pull", model, "-o", "copy", code=REFUSED).stderr
    (tmp_path / "copy" / "MLmodel").write_text("changed")
    (tmp_path / "copy" / "mine").write_text("kept")
    run("pull", model, "-o", "copy", "--force")
    assert (tmp_path / "copy" / "MLmodel").read_text() == "flavors: {}"
    assert (tmp_path / "copy" / "mine").read_text() == "kept"
    # One file
    assert run("pull", model, "--file", "MLmodel", "-o", "-").stdout == "flavors: {}"
    assert run("pull", model, "--file", "sub/empty").stdout == "empty\n"
    assert "no file" in run("pull", model, "--file", "other", code=NOT_FOUND).stderr
    run("pull", model, "-o", "-", code=USAGE)
    shown = read(run("show", model, "--json"))
    assert [file["path"] for file in shown["files"]] == ["MLmodel", "sub/empty"]
    assert "2 files" in run("list", model).stdout
    assert "sub/empty" in run("show", model).stdout


def test_push_from_standard_input(
    registry: ModelRegistry, model: str, environment: dict[str, str]
) -> None:
    """From a pipe, and in a process as scripts start it."""
    done = subprocess.run(
        [*COMMAND, "push", "-", "--name", model, "--metric", "a=1"],
        input=b"piped",
        stdout=subprocess.PIPE,
        env=environment,
        check=True,
    )
    assert registry.load_bytes(done.stdout.decode().strip()) == b"piped"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing", "--name", "m", "--metric", "a=1"], FAILURE, "No such file"),
        (["model"], USAGE, "--name or --type"),
        (["model", "--name", "m", "--metric", "a"], USAGE, "not NAME=NUMBER"),
        (["model", "--name", "m", "--metric", "a=nan"], USAGE, "not NAME=NUMBER"),
        (["model", "--name", "m"], USAGE, "metric"),
        (["model", "--name", "m", "--metric", "a=1", "--version", "1"], USAGE, "version"),
        (["model", "--name", "m", "--metric", "a=1", "--stage", "live"], USAGE, "choose from"),
        (["model", "--name", "m", "--metric", "a=1", "--sha256", "00"], DAMAGED, "SHA-256"),
        (["model", "--name", "m", "--metric", "a=1", "--parent", "no"], NOT_FOUND, "no model"),
        (["model", "--name", "m", "--metrics-file", "model"], USAGE, "not JSON"),
        (["model", "--name", "m", "--metric", "a=1", "--property", "modelreg.x=1"], USAGE, "res"),
        (["model", "--name", "m", "--metric", "a=1", "--serializer", "no"], FAILURE, "serializer"),
        (["model", "--name", "m", "--metric", "a=1", "--trained-at", "soon"], USAGE, "no time"),
        (["model", "--name", "m", "--metric", "a=1", "--upload-id", "7"], USAGE, "not the uuid"),
        (["empty", "--name", "m", "--metric", "a=1"], USAGE, "empty"),
        (["none", "--name", "m", "--metric", "a=1"], USAGE, "no files"),
        (["none", "--name", "m", "--metric", "a=1", "--serializer", "x"], USAGE, "single file"),
    ],
)
def test_push_refused(
    run: Run, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    (tmp_path / "model").write_text("bytes")
    (tmp_path / "empty").touch()
    (tmp_path / "none").mkdir()
    done = run("push", *arguments, code=code)
    assert done.stdout == ""
    assert done.stderr.startswith("modelreg: ")
    assert message in done.stderr


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_upload_that_broke_off(
    run: Run,
    environment: dict[str, str],
    model: str,
    tmp_path: Path,
    sql: Any,
    how: signal.Signals,
    code: int,
) -> None:
    """Ctrl-C in an upload: the exit code tells, and a message says how to go on."""
    data = os.urandom(40_000_000)
    (tmp_path / "model.bin").write_bytes(data)
    push = ["push", "model.bin", "--name", model, "--metric", "a=1"]
    with subprocess.Popen(
        [*COMMAND, *push], stderr=subprocess.PIPE, cwd=tmp_path, env=environment, text=True
    ) as process:
        until(
            # By then the client knows the upload's id.
            lambda: (
                sql.execute("SELECT count(*) FROM modelreg.upload WHERE bytes_held > 0").fetchone()
                == (1,)
            ),
            "no upload began",
        )
        process.send_signal(how)
        assert process.stderr is not None
        message = process.stderr.read()
    assert process.returncode == code
    (upload_id,) = re.findall(r"go on with --upload-id ([0-9a-f-]{36})\n$", message)
    done = run(*push, "--upload-id", upload_id)
    assert run("show", done.stdout.strip(), "--json").stdout
    assert read(run("show", model, "--json"))["checksum"] == hashlib.sha256(data).hexdigest()
    assert "does not exist" in run(*push, "--upload-id", upload_id, code=NOT_FOUND).stderr


# ---- Downloading ----


def test_pull(run: Run, versions: list[ModelVersion], model: str, tmp_path: Path) -> None:
    content = f"bytes 2 of {model}"
    assert run("pull", model).stdout == f"{versions[2].model_id}\n"
    assert (tmp_path / versions[2].model_id).read_text() == content
    assert run("pull", model, "-o", "-").stdout == content
    (tmp_path / "there").write_text("mine")
    (tmp_path / "directory").mkdir()
    refused = run("pull", model, "-o", "there", code=REFUSED)
    assert "there is there already" in refused.stderr
    assert (tmp_path / "there").read_text() == "mine"
    run("pull", model, "-o", "there", "--force")
    assert (tmp_path / "there").read_text() == content
    assert read(run("pull", model, "-o", "directory", "--json"))["path"] == (
        f"directory/{versions[2].model_id}"
    )
    run("pull", model, "-o", "nowhere/file", code=FAILURE)
    run("pull", model, "--json", "-o", "-", code=USAGE)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["directory", "there", versions[2].model_id]
    )


def test_pull_goes_on(run: Run, registry: ModelRegistry, model: str, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    version = registry.register_bytes(data, "test", model_name=model, performance_metrics=METRICS)
    part = tmp_path / f".out.{version.checksum[:16]}.part"
    part.write_bytes(data[:2_000_000])
    run("pull", model, "-o", "out")
    assert (tmp_path / "out").read_bytes() == data
    # What is there of it is not what it was: found in the end
    part.write_bytes(bytes(2_000_000))
    run("pull", model, "-o", "out", "--force", code=DAMAGED)
    assert (tmp_path / "out").read_bytes() == data


def test_names_that_lead_elsewhere(
    run: Run, registry: ModelRegistry, model: str, tmp_path: Path
) -> None:
    """Whoever registered it chose the name: it is one of a file here, or not used."""
    here = tmp_path / "here"
    here.mkdir()
    for number, name in enumerate(
        (
            "../up",
            "/etc/x",
            "..",
            ".bashrc",
            "-rf",
            "a\nb",
            "a\x1b[31m",
            "~",
            "x" * 300,
            "",
            "ok.bin",
        )
    ):
        properties = {"modelreg.filename": name}
        version = registry.register_bytes(
            b"bytes", "test", model_name=model, performance_metrics=METRICS
        )
        registry.update_model_version(version.model_id, properties=properties)
        place = Path(run("pull", version.model_id, "-o", "here").stdout.strip())
        assert place.parent == Path("here"), name
        assert re.fullmatch(r"[A-Za-z0-9_][\w.\[]*", place.name), name
        assert (tmp_path / place).read_bytes() == b"bytes"
        assert len(list(here.iterdir())) == number + 1
    assert place.name == "ok.bin"
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_pull_of_a_long_id(run: Run, registry: ModelRegistry, tmp_path: Path) -> None:
    version = registry.register_bytes(
        b"bytes", "test", model_name="\N{SNOWFLAKE}" * 256, performance_metrics=METRICS
    )
    digits = hashlib.sha256(version.model_id.encode()).hexdigest()[:8]
    name = "\N{SNOWFLAKE}" * 66 + digits
    assert run("pull", version.model_id).stdout == f"{name}\n"
    assert (tmp_path / name).read_bytes() == b"bytes"


def test_paths_that_lead_elsewhere(
    run: Run, sql: psycopg.Connection[Any], model: str, tmp_path: Path
) -> None:
    """Even if a server had such a version: nothing is written outside of the directory."""
    sha = hashlib.sha256(b"evil").hexdigest()
    for path in ("../evil", "/tmp/evil", "a/../../evil", "", "./evil", "a//evil", "a\\..\\evil"):
        manifest = json.dumps(
            {"format": "modelreg-files-1", "files": [{"path": path, "size": 4, "sha256": sha}]},
            separators=(",", ":"),
        )
        row = sql.execute(
            "SELECT model_id FROM modelreg_register(%b, 'test', model_name => %s,"
            " performance_metrics => '{\"a\": 1}')",
            [manifest.encode(), model],
        ).fetchone()
        assert row is not None
        with sql.transaction():
            sql.execute("SET LOCAL session_replication_role = replica")
            sql.execute("ALTER TABLE modelreg.model_version DISABLE TRIGGER USER")
            sql.execute(
                "UPDATE modelreg.model_version SET file_count = 1 WHERE model_id = %s", [row[0]]
            )
            for (name,) in sql.execute(
                "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
                " AND tgrelid = 'modelreg.model_version'::regclass"
            ).fetchall():
                sql.execute(f"ALTER TABLE modelreg.model_version ENABLE ALWAYS TRIGGER {name}")
        run("pull", row[0], "-o", "out", code=DAMAGED)
        assert list(tmp_path.iterdir()) == [], path
        sql.execute("SELECT modelreg_delete(%s)", [row[0]])
