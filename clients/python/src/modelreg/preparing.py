"""What happens to a registration before anything is sent, and what references to versions mean.

Nothing here talks to a server; the registries with and without await share it.
"""

from __future__ import annotations

import enum
import hashlib
import os
import re
import stat
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from modelreg import serializers, statements
from modelreg.calls import Statement, check
from modelreg.errors import (
    AlreadyExistsError,
    ChecksumError,
    ConfigurationError,
    InvalidArgumentError,
    ModelregError,
    NotFoundError,
    SerializationError,
    is_lost_connection,
    warn_caller,
)
from modelreg.payload import Payload, spool
from modelreg.serializers import Serializer
from modelreg.streaming import UploadItem, manifest
from modelreg.tree import Tree
from modelreg.types import (
    SERIALIZER_PROPERTY,
    FileEntry,
    ModelVersion,
    RegistryConfig,
    as_text,
)
from modelreg.values import aware, collected, said, short_text, text, text_list

RESERVED = "modelreg."
"""Properties that begin so are the client's own."""

FILENAME_PROPERTY = "modelreg.filename"

EXECUTABLE_PROPERTY = "modelreg.executable"
"""True for a file that its owner may execute; of a directory, the paths of such files."""


# ---- Objects ----


def registration(
    model_type: str | enum.Enum,
    *,
    version: str | None = None,
    performance_metrics: Mapping[str, float] | None = None,
    deployment_stage: str | enum.Enum | None = None,
    tags: Iterable[str] | None = None,
    notes: str | None = None,
    dataset_version: str | None = None,
    model_name: str | None = None,
    model_config: Mapping[str, Any] | None = None,
    training_metadata: Mapping[str, Any] | None = None,
    parent_ids: Iterable[str] | None = None,
    created_at: datetime | None = None,
    properties: Mapping[str, Any] | None = None,
    own_properties: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The arguments of a registration, by the server's names; own_properties are the client's."""
    for key in properties or ():
        if key.startswith(RESERVED):
            raise InvalidArgumentError(
                f'property "{key}" is reserved',
                hint=f'Properties that begin with "{RESERVED}" are written by the client.',
            )
    if model_type is None:
        raise InvalidArgumentError("model_type is missing")
    merged = {**(properties or {}), **(own_properties or {})}
    arguments = {
        "model_type": model_type,
        "version": version,
        "performance_metrics": performance_metrics,
        "deployment_stage": deployment_stage,
        # Used again if the connection is lost: lists, not what can be iterated over once.
        "tags": None if tags is None else text_list(tags, "tags"),
        "notes": notes,
        "dataset_version": dataset_version,
        "model_name": model_name,
        "model_config": model_config,
        "training_metadata": training_metadata,
        "parent_ids": None if parent_ids is None else text_list(parent_ids, "parent_ids"),
        "created_at": None if created_at is None else aware(created_at, "created_at"),
        "properties": merged or None,
    }
    # Now, rather than after all bytes were sent.
    check(arguments)
    return arguments


def serialize(
    model: Any, serializer: Serializer, directory: str | os.PathLike[str] | None
) -> Payload:
    """The object's bytes, in memory if they are few."""
    file = spool(directory)
    try:
        try:
            serializer.dump(model, file)
        except (ModelregError, OSError):
            raise
        except Exception as error:  # of the serializer, or of the object's own code
            raise SerializationError(
                f"a {type(model).__name__} cannot be written by serializer {serializer.name}:"
                f" {said(error)}",
                hint="Classes and functions must be importable by name; files, locks and"
                " connections cannot be stored.",
            ) from error
        # A serializer that went back to write a header did not end at the end.
        file.seek(0, os.SEEK_END)
        return Payload(file, file.tell())
    except BaseException:
        file.close()
        raise


def parameters_of(model: Any) -> dict[str, Any] | None:
    """What scikit-learn's get_params says: what JSON cannot say, or is long, as a short text.

    None for an object that has no such method, or where that fails (a warning says so then).
    """
    if isinstance(model, type):
        return None
    try:
        get_params = getattr(model, "get_params", None)
        parameters = get_params() if callable(get_params) else None
        return collected(parameters) if isinstance(parameters, Mapping) else None
    except Exception as error:  # whatever the model's own method raises
        warn_caller(
            f"model_config is left empty: get_params() of {type(model).__name__} failed:"
            f" {said(error)}",
            UserWarning,
        )
        return None


def warn_if_path(model: Any) -> None:
    """Warn of an object to be registered that is the name of a file."""
    if not isinstance(model, (str, os.PathLike)):
        return
    try:
        found = os.stat(model)
    except (OSError, ValueError, TypeError):
        return
    method = "register_directory" if stat.S_ISDIR(found.st_mode) else "register_file"
    warn_caller(
        f"what is registered is the text {short_text(os.fspath(model))}, not what is there;"
        f" {method}(path, …) registers that",
        UserWarning,
    )


def as_bytes(data: Any) -> bytes:
    """The bytes of any object that holds some. Raises InvalidArgumentError for all else."""
    if isinstance(data, bytes):
        return data
    try:
        return bytes(memoryview(data))
    except TypeError as error:
        raise InvalidArgumentError(
            f"bytes are wanted, not a {type(data).__name__}",
            hint="register_file(path, …) registers a file, register_model(object, …) an object.",
        ) from error


def compare_expected(expected: str | None, actual: str) -> None:
    """Raises ChecksumError if bytes that are to be registered are not those that are meant."""
    if expected is not None and expected.strip().lower() != actual:
        raise ChecksumError(f"the file has SHA-256 {actual}, not {expected}")


# ---- References ----

_MODEL_ID = re.compile(r"_[0-9]{8}_[0-9]{6}(_[0-9]+)?\Z")


def readings(reference: str) -> list[tuple[str, str] | None]:
    """What a reference may mean, in the order to try: model and alias, or (None) a model_id.

    Every model_id ends in its date and time. There may be an "@" before, from the model's name, and
    an alias may end in a date and time as well: then it can be either.
    """
    model_name, _, alias = text(reference, "model_id").rpartition("@")
    if not (model_name and alias):
        return [None]
    pair = (model_name, alias)
    return [None, pair] if _MODEL_ID.search(reference) else [pair]


def find(reference: str) -> list[Statement[ModelVersion | None]]:
    """The statements of which the first to find a version finds the one that is referred to."""
    return [
        statements.resolve(*pair) if pair else statements.info(reference)
        for pair in readings(reference)
    ]


def named(reference: str) -> Statement[ModelVersion | None]:
    """The newest version of the model that has such a name, if there is one."""
    return statements.find_latest(model_name=reference)


def hint_of(reference: str, newest: ModelVersion) -> str:
    """The hint for who gave the name of a model where a version is wanted."""
    return f'"{reference}" is a model; its newest version is {newest.model_id}.'


def unknown(reference: str) -> NotFoundError:
    """The error for a reference to nothing."""
    if (pair := readings(reference)[0]) is not None:
        return NotFoundError(f'model "{pair[0]}" has no alias "{pair[1]}"', sqlstate="42704")
    return NotFoundError(
        f'model version "{reference}" does not exist',
        sqlstate="42704",
        hint="It may have been deleted: history(model_id=…) tells by whom and why.",
    )


# ---- Files and directories ----


def file_properties(serializer: str, filename: str | None, payload: Payload) -> dict[str, Any]:
    """The client's properties for bytes that something else wrote."""
    serializers.find(serializer).check(payload.file)
    properties: dict[str, Any] = {SERIALIZER_PROPERTY: serializer}
    if filename:
        # A name that is no text is kept as far as it is.
        properties[FILENAME_PROPERTY] = filename.encode(errors="replace").decode()
        if payload.is_executable:
            properties[EXECUTABLE_PROPERTY] = True
    return properties


def directory_properties(tree: Tree) -> dict[str, Any]:
    """The client's properties for a directory; warns of what of it no version can have."""
    if tree.empty:
        shown = ", ".join(tree.empty[:5]) + (", …" if len(tree.empty) > 5 else "")
        warn_caller(f"empty directories are not registered: {shown}", UserWarning)
    return {EXECUTABLE_PROPERTY: tree.executable} if tree.executable else {}


def finish_directory(
    tree: Tree, items: Sequence[UploadItem], arguments: Mapping[str, Any]
) -> Statement[ModelVersion]:
    """The statement that registers a directory, when all of its files were sent."""
    tree.check_unchanged()
    paths = [file.relative for file in tree.files]
    entries = [
        FileEntry(path, item.payload.size, item.finish())
        for path, item in zip(paths, items, strict=True)
    ]
    checksum = hashlib.sha256(manifest(entries)).hexdigest()
    return statements.register_files(
        paths,
        [item.upload_id or "" for item in items],
        {**arguments, "expected_checksum": checksum},
    )


def note_upload(error: ModelregError, items: Sequence[UploadItem], owned: bool) -> None:
    """Have an error say how to go on with what was sent, if it was committed."""
    if owned and len(items) == 1 and items[0].upload_id is not None:
        error.upload_id = items[0].upload_id
        if is_lost_connection(error):
            error.hint = f"resume={error.upload_id!r} goes on from what the server has."


# ---- Settings of models ----


class ModelSettings:
    """Those settings of a RegistryConfig that are of models, applied to each model once.

    With remember, what was applied is remembered for as long as this object lives.
    """

    def __init__(self, config: RegistryConfig, *, remember: bool) -> None:
        self._wanted = config.model_settings
        self._remember = remember
        self._applied: set[str] = set()

    def apply(self, arguments: Mapping[str, Any], run: Callable[[Statement[Any]], Any]) -> None:
        """Have the model of this registration the settings.

        Raises ConfigurationError if it has others and the role may not change them.
        """
        steps = self.steps(arguments)
        try:
            statement = next(steps)
            while True:
                try:
                    result = run(statement)
                except ModelregError as error:
                    statement = steps.throw(error)
                else:
                    statement = steps.send(result)
        except StopIteration:
            return

    def steps(self, arguments: Mapping[str, Any]) -> Generator[Statement[Any], Any, None]:
        """The statements that apply() runs: a generator that is sent their results."""
        if not self._wanted:
            return
        model_name = as_text(arguments["model_name"] or arguments["model_type"])
        if model_name in self._applied:
            return
        while True:
            exists, may_change, settings = yield statements.model_settings(model_name)
            other = {name: value for name, value in self._wanted.items() if settings[name] != value}
            if not other:
                break
            if not may_change:
                raise self._refused(model_name, exists, other)
            if exists:
                yield statements.update_model(model_name, **other)
                break
            try:
                yield statements.create_model(
                    model_name, model_type=arguments["model_type"], **other
                )
                break
            except AlreadyExistsError:
                continue
        if self._remember:
            self._applied.add(model_name)

    def _refused(
        self, model_name: str, exists: bool, other: Mapping[str, int | bool]
    ) -> ConfigurationError:
        values = ", ".join(f"{name} => {str(value).lower()}" for name, value in other.items())
        quoted = model_name.replace("'", "''")
        function = "modelreg_update_model" if exists else "modelreg_create_model"
        return ConfigurationError(
            f'model "{model_name}" has not the settings that this registry was told:'
            f" {', '.join(other)}",
            sqlstate="42501",
            hint="They are the model's, and changing them needs modelreg_admin. Leave them out, or"
            f" have an admin run: SELECT {function}('{quoted}', {values})",
        )


# ---- Comparisons ----


def missing_ids(model_ids: Iterable[str], versions: Iterable[ModelVersion]) -> list[str]:
    """Those of the ids that are of none of the versions."""
    found = {version.model_id for version in versions}
    return [model_id for model_id in model_ids if model_id not in found]


def in_order(model_ids: Iterable[str], versions: Iterable[ModelVersion]) -> list[ModelVersion]:
    """The versions in the order of their ids."""
    by_id = {version.model_id: version for version in versions}
    return [by_id[model_id] for model_id in model_ids]
