"""The page of the client lists all methods, and which of them the asyncio class has."""

from __future__ import annotations

import re
from pathlib import Path

from modelreg import AsyncModelRegistry, ModelRegistry

PAGE = Path(__file__).parents[3] / "docs" / "python-client.md"


def methods(of: type) -> set[str]:
    return {name for name in dir(of) if not name.startswith("_")}


def test_list_is_complete() -> None:
    section = PAGE.read_text().split("## Methods\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (✓ )?\|$", section, re.MULTILINE)
    names = [name for name, _, _ in rows]
    assert len(names) == len(set(names)) == section.count("\n| `")
    assert set(names) == methods(ModelRegistry)
    assert {name for name, _, asyncio in rows if asyncio} == methods(AsyncModelRegistry)
