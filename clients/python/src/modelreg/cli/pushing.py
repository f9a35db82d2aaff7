"""push: register a file, or a directory of files."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from modelreg.cli import exits, references
from modelreg.cli.progress import progress
from modelreg.cli.session import Session
from modelreg.errors import AlreadyExistsError, ModelregError
from modelreg.statements import INLINE_SIZE
from modelreg.types import ModelVersion

# What wrote a file, by its ending: recorded, so that load_model knows how to read it.
SERIALIZERS = {
    ".pkl": "pickle",
    ".pickle": "pickle",
    ".joblib": "joblib",
    ".skops": "skops",
    ".onnx": "onnx",
    ".safetensors": "safetensors",
}


def push(session: Session) -> int:
    """Register what is at a path, and print the model_id."""
    options = session.options
    if options.name is None and options.type is None:
        raise exits.CommandError("which model is it? Give --name or --type", exits.USAGE)
    metadata = _metadata(session)
    path = options.path
    with progress(os.path.basename(path.rstrip("/")) or path, session.quiet) as bar:
        if path != "-" and os.path.isdir(path):
            for name in ("upload_id", "serializer", "sha256"):
                if getattr(options, name) is not None:
                    option = name.replace("_", "-")
                    raise exits.CommandError(f"--{option} is for a single file", exits.USAGE)
            version = session.registry.register_directory(path, progress=bar, **metadata)
        else:
            version = _push_file(session, path, metadata, bar)
    if session.json:
        session.document(version.to_dict())
    else:
        session.print(version.model_id)
        session.message(f"{version.version} of {version.model_name}, in {version.deployment_stage}")
    return exits.OK


def _push_file(session: Session, path: str, metadata: dict[str, Any], bar: Any) -> ModelVersion:
    options = session.options
    suffix = Path(path).suffix.lower()
    serializer = options.serializer or SERIALIZERS.get(suffix, "file")
    upload_id = options.upload_id
    begun = False
    source: str | BinaryIO = path
    if path == "-":
        source = sys.stdin.buffer
        if sys.stdin.isatty():
            raise exits.CommandError("standard input is a terminal", exits.USAGE)
        if options.sha256 is not None or upload_id is not None:
            raise exits.CommandError(
                "--sha256 and --upload-id need a file, not standard input", exits.USAGE
            )
    else:
        size = os.stat(path).st_size
        if options.sha256 is not None:
            _compare(path, options.sha256)
        if upload_id is None and size > INLINE_SIZE:
            session.registry.check_registration(**metadata)
            # Begun here, so that its id is known however the upload may end.
            upload_id, begun = session.registry.begin_upload(size), True
    try:
        return session.registry.register_file(
            source,
            serializer=serializer,
            resume=upload_id,
            expected_checksum=options.sha256,
            progress=bar,
            **metadata,
        )
    except BaseException as error:
        if upload_id is not None and _can_go_on(error):
            session.message(f"the upload is kept; go on with --upload-id {upload_id}")
        elif begun and isinstance(error, ModelregError):
            with suppress(ModelregError):
                session.registry.abort_upload(upload_id)
        raise


def _can_go_on(error: BaseException) -> bool:
    """Say whether the upload is worth to be gone on with: it broke off, or its version is taken."""
    if isinstance(error, ModelregError):
        return isinstance(error, AlreadyExistsError) or exits.code_of(error) in (
            exits.UNREACHABLE,
            exits.REFUSED,
            exits.USAGE,
        )
    return isinstance(error, KeyboardInterrupt)


def _compare(path: str, expected: str) -> None:
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while part := file.read(1 << 20):
            digest.update(part)
    if digest.hexdigest() != expected.strip().lower():
        raise exits.CommandError(
            f"{path} has SHA-256 {digest.hexdigest()}, not {expected}", exits.DAMAGED
        )


def _metadata(session: Session) -> dict[str, Any]:
    """Return the arguments that every kind of registration has."""
    options = session.options
    metrics: dict[str, Any] = {}
    if options.metrics_file is not None:
        metrics |= _json_object(options.metrics_file)
    metrics |= dict(options.metric)
    config: dict[str, Any] = {}
    if options.params_file is not None:
        config |= _json_object(options.params_file)
    config |= dict(options.param)
    parents = [references.find(session.source, ref).model_id for ref in options.parent]
    return {
        "model_type": options.type or options.name,
        "model_name": options.name,
        "version": options.version,
        "performance_metrics": metrics or None,
        "deployment_stage": options.stage,
        "tags": options.tag or None,
        "notes": options.notes or None,
        "dataset_version": options.dataset_version,
        "model_config": config or None,
        "parent_ids": parents or None,
        "created_at": options.trained_at,
        "properties": dict(options.property) or None,
    }


def _json_object(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        try:
            value = json.load(file)
        except ValueError as error:
            raise exits.CommandError(f"{path} is not JSON: {error}", exits.USAGE) from error
    if not isinstance(value, dict):
        raise exits.CommandError(f"{path} is not a JSON object", exits.USAGE)
    return value
