"""The examples of the README run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def test_examples(database, monkeypatch):
    for library in ("pandas", "sklearn"):
        pytest.importorskip(library)
    monkeypatch.setenv("PGDATABASE", database)
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, names)
    assert names["best"] == names["version"].model_id
    names["registry"].close()
