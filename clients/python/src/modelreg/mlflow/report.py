"""What an import from MLflow did, and what it could not do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Problem:
    """A version (or, without a number, a model) that is not as it is in MLflow, and why."""

    model_name: str
    version: int | None
    reason: str

    def __str__(self) -> str:
        what = self.model_name if self.version is None else f"{self.model_name}/{self.version}"
        return f"{what}: {self.reason}"


@dataclass(frozen=True)
class Step:
    """Progress: what became of one version, and how many of all are done."""

    model_name: str
    version: int
    outcome: str
    """``imported``, ``present``, ``updated``, ``conflict`` or ``unavailable``"""
    done: int
    total: int


Progress = Callable[[Step], None]


@dataclass
class ImportReport:
    """Counts and problems of one import. In a dry run, what would be done."""

    dry_run: bool = False
    models_created: int = 0
    models_present: int = 0
    models_renamed: int = 0
    models_deleted: int = 0
    """as MLflow has renamed and deleted them; with ``mirror`` only"""
    versions_imported: int = 0
    versions_present: int = 0
    """there already with the same bytes, those of them included that were updated"""
    versions_updated: int = 0
    """there already, with another description, tags or stage"""
    versions_deleted: int = 0
    """as MLflow has deleted them; with ``mirror`` only"""
    placeholders: int = 0
    """numbers that MLflow deleted, used up by a version that was deleted again at once"""
    aliases_changed: int = 0
    files: int = 0
    bytes: int = 0
    """of the files of imported versions"""
    last_numbers_known: bool = True
    """False if MLflow does not tell the numbers of versions deleted behind the last one"""
    conflicts: list[Problem] = field(default_factory=list)
    """what the registry has otherwise, and was left as it is"""
    unavailable: list[Problem] = field(default_factory=list)
    """versions whose files MLflow could not deliver, and those that wait for another"""

    @property
    def ok(self) -> bool:
        """Whether everything in MLflow is in the registry now, as it is there."""
        return not self.conflicts and not self.unavailable

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"ok": self.ok, **asdict(self)}
