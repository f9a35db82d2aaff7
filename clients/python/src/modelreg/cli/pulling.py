"""pull: download a version, verified, and go on where an earlier pull broke off."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from modelreg import statements, transfer
from modelreg.cli import exits
from modelreg.cli.progress import progress
from modelreg.cli.session import Session
from modelreg.files import NAME_SIZE, name_of_id
from modelreg.preparing import FILENAME_PROPERTY
from modelreg.streaming import Download, compare_checksum, describe, meter
from modelreg.types import ModelVersion


def pull(session: Session) -> int:
    """Download a version into a file or a directory, and print where it is."""
    options = session.options
    version = session.find(options.ref)
    if options.output == "-":
        return _to_stdout(session, version)
    target = _target(version, options.file, options.output)
    _check_target(target, version.file_count > 0 and options.file is None, options.force)
    with progress(target.name, session.quiet) as bar:
        session.registry.download(
            version.model_id, target, path=options.file, progress=bar, resume=True
        )
    if session.json:
        session.document(version.to_dict() | {"path": str(target)})
    else:
        session.print(str(target))
    return exits.OK


def _target(version: ModelVersion, file: str | None, output: str | None) -> Path:
    """Return where it goes. What is one file goes into `output` if that is a directory."""
    if version.file_count and file is None:
        return Path(output or _id_name(version))
    if output is not None and not (os.path.isdir(output) or output.endswith(os.sep)):
        return Path(output)
    directory = Path(output or ".")
    if file is not None:
        return directory / safe_name(file.rpartition("/")[2], "file")
    recorded = version.properties.get(FILENAME_PROPERTY)
    if not isinstance(recorded, str):
        return directory / _id_name(version)
    return directory / safe_name(recorded, _id_name(version))


def _id_name(version: ModelVersion) -> str:
    """Return a name made from the id."""
    return name_of_id(cleaned(version.model_id) or "model")


def safe_name(name: str, otherwise: str) -> str:
    """Return a name as one component of a path that does nobody harm, or `otherwise`.

    Whoever registered the version chose it: it must lead nowhere else, and be neither hidden nor
    an option.
    """
    name = cleaned(name)
    return name if name and len(os.fsencode(name)) <= NAME_SIZE else otherwise


def cleaned(name: str) -> str:
    """Return a name without what could do harm; nothing may be left of it."""
    bad = '/\\:*?"<>|'
    printable = "".join("_" if char in bad or not char.isprintable() else char for char in name)
    return printable.strip(" ").lstrip(" .-~")


def _check_target(target: Path, whole_directory: bool, force: bool) -> None:
    """Refuse what could not be done in the end, or would replace what is there without --force."""
    if not target.parent.is_dir():
        raise exits.CommandError(f"{target.parent} is no directory", exits.FAILURE)
    if not os.path.lexists(target):
        return
    if target.is_dir() != whole_directory:
        kind = "a directory" if whole_directory else "no directory"
        raise exits.CommandError(
            f"{target} is there already, and what is pulled is {kind}", exits.REFUSED
        )
    if force or (whole_directory and not any(target.iterdir())):
        return
    hint = "--force replaces it; -o names another."
    if whole_directory:
        hint = "--force replaces its files of the same names; -o names another."
    raise exits.CommandError(f"{target} is there already", exits.REFUSED, hint)


def _to_stdout(session: Session, version: ModelVersion) -> int:
    """Stream the bytes. Only at their end they are verified: the exit code says whether."""
    options = session.options
    if session.json:
        raise exits.CommandError("--json and -o - both want standard output", exits.USAGE)
    if version.file_count and options.file is None:
        raise exits.CommandError(
            f'version "{version.model_id}" is a directory of files',
            exits.USAGE,
            "Give --file PATH for one of them, or -o DIRECTORY.",
        )
    if sys.stdout.isatty() and not options.force:
        raise exits.CommandError(
            "standard output is a terminal", exits.USAGE, "--force writes to it all the same."
        )
    size, checksum = version.artifact_size, version.checksum
    if options.file is not None:
        files = session.run(statements.files(version.model_id))
        entry = next((file for file in files if file.path == options.file), None)
        if entry is None:
            raise _no_file(version, options.file)
        size, checksum = entry.size, entry.sha256
    out = sys.stdout.buffer
    with (
        progress(version.model_id, session.quiet) as bar,
        meter(bar, size, version.model_id) as measured,
    ):
        download = Download(out, size, measured)
        transfer.receive(session.source, download, version.model_id, options.file)
    out.flush()
    compare_checksum(describe(version), checksum, download.checksum)
    return exits.OK


def _no_file(version: ModelVersion, path: str) -> exits.CommandError:
    return exits.CommandError(f'version "{version.model_id}" has no file "{path}"', exits.NOT_FOUND)
