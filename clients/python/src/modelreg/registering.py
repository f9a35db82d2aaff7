"""The part of ModelRegistry that registers: objects, bytes, files and directories."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, BinaryIO

from modelreg import serializers, statements, transfer
from modelreg.connection import execute
from modelreg.core import Core, PathArgument, Stage, Type
from modelreg.errors import (
    FileChangedError,
    ModelregError,
    NotFoundError,
    is_lost_connection,
    translated,
)
from modelreg.payload import Payload
from modelreg.preparing import (
    as_bytes,
    compare_expected,
    directory_properties,
    file_properties,
    finish_directory,
    note_upload,
    parameters_of,
    registration,
    serialize,
    warn_if_path,
)
from modelreg.statements import INLINE_SIZE, Statement
from modelreg.streaming import Upload, UploadItem, meter
from modelreg.tree import Tree
from modelreg.types import DeploymentStage, ModelVersion, Progress, UploadStatus


class Registering(Core):
    """Methods of ModelRegistry."""

    def check_registration(self, model_type: Type, **metadata: Any) -> None:
        """Raises what a registration with these arguments would be refused for.

        metadata are register_model's further arguments. Nothing is reserved: another registration
        may take the version meanwhile. What is streamed is checked so by itself before its first
        byte.
        """
        arguments = registration(model_type, **metadata)
        self._run(statements.check_registration(arguments), *(arguments["parent_ids"] or ()))

    def register_model(
        self,
        model: Any,
        model_type: Type,
        version: str | None = None,
        performance_metrics: Mapping[str, float] | None = None,
        deployment_stage: Stage = DeploymentStage.DEVELOPMENT,
        tags: Iterable[str] | None = None,
        notes: str | None = None,
        dataset_version: str | None = None,
        *,
        model_name: str | None = None,
        model_config: Mapping[str, Any] | None = None,
        training_metadata: Mapping[str, Any] | None = None,
        parent_ids: Iterable[str] | None = None,
        created_at: datetime | None = None,
        properties: Mapping[str, Any] | None = None,
        serializer: str | None = None,
        progress: Progress = None,
    ) -> ModelVersion:
        """Register a trained model: any object that the serializer takes.

        version None is the next minor version. model_name None is the model type. model_config None
        is what the model's get_params() says, as scikit-learn's have it. serializer None is as
        the settings say, "auto" at first. created_at without a time zone is local time.
        """
        warn_if_path(model)
        chosen = serializers.choose(model, serializer or self.config.serializer)
        origin = serializers.Origin.of(chosen, model)
        origin.warn()
        arguments = registration(
            model_type,
            version=version,
            performance_metrics=performance_metrics,
            deployment_stage=deployment_stage,
            tags=tags,
            notes=notes,
            dataset_version=dataset_version,
            model_name=model_name,
            model_config=parameters_of(model) if model_config is None else model_config,
            training_metadata=training_metadata,
            parent_ids=parent_ids,
            created_at=created_at,
            properties=properties,
            own_properties=origin.properties,
        )
        with serialize(model, chosen, self.config.temporary_directory) as payload:
            return self._register(payload, arguments, progress, None)

    def register_bytes(
        self,
        data: bytes | bytearray | memoryview,
        model_type: Type,
        *,
        serializer: str = "bytes",
        progress: Progress = None,
        **metadata: Any,
    ) -> ModelVersion:
        """Register bytes as they are.

        metadata are register_model's further arguments. serializer says what load_model shall make
        of the bytes: "pickle" for bytes that pickle.dumps made, for instance.
        """
        with Payload.of_bytes(as_bytes(data)) as payload:
            arguments = registration(
                model_type, **metadata, own_properties=file_properties(serializer, None, payload)
            )
            return self._register(payload, arguments, progress, None)

    def register_file(
        self,
        path: PathArgument | BinaryIO,
        model_type: Type,
        *,
        serializer: str = "file",
        progress: Progress = None,
        resume: str | None = None,
        expected_checksum: str | None = None,
        **metadata: Any,
    ) -> ModelVersion:
        """Register the bytes of a file: a path, or a file that is open for reading.

        metadata and serializer are as in register_bytes. resume is the id of an upload of the same
        file that did not come to its end, from begin_upload or an error's upload_id: what the
        server has of it is not sent again. With expected_checksum, a SHA-256 in hexadecimal, other
        bytes are refused (ChecksumError).

        A file that is changed while it is sent is refused (FileChangedError); one that is replaced
        by another, as by a rename, is registered as it was.
        """
        if isinstance(path, (str, os.PathLike)):
            payload, name = Payload.of_path(path), os.path.basename(os.fspath(path))
        else:
            payload, name = Payload.of_file(path, self.config.temporary_directory), None
        with payload:
            arguments = registration(
                model_type, **metadata, own_properties=file_properties(serializer, name, payload)
            )
            return self._register(payload, arguments, progress, resume, expected_checksum)

    def register_directory(
        self,
        path: PathArgument,
        model_type: Type,
        *,
        progress: Progress = None,
        **metadata: Any,
    ) -> ModelVersion:
        """Register a directory of files as one version. metadata are as in register_bytes.

        The version's checksum pins every file: it is that of the list of their paths, sizes and
        checksums. Links are followed, to files and directories, wherever they lead. Which files are
        executable is kept beside the checksum. A directory that changes while it is sent is refused
        (FileChangedError), and empty directories are left out, with a warning.
        """
        tree = Tree.of(path)
        arguments = registration(model_type, **metadata, own_properties=directory_properties(tree))
        with Payload.of_tree(tree.files) as payloads:
            items = [UploadItem(payload) for payload in payloads]
            self._model_settings.apply(arguments, self._source.run)

            def finish() -> Statement[ModelVersion]:
                return finish_directory(tree, items, arguments)

            try:
                return self._send(items, arguments, finish, progress)
            except Exception as error:
                if not is_lost_connection(error):
                    self._abandon(items)
                raise

    def _abandon(self, items: Iterable[UploadItem]) -> None:
        """Remove uploads that nobody can go on with. A transaction that failed does that itself."""
        with suppress(ModelregError), translated(), self._source.connection() as connection:
            for item in items:
                if item.upload_id is not None and transfer.can_change(connection):
                    execute(connection, statements.upload_abort(item.upload_id))
                    item.upload_id = None

    def _register(
        self,
        payload: Payload,
        arguments: dict[str, Any],
        progress: Progress,
        resume: str | None,
        expected: str | None = None,
    ) -> ModelVersion:
        self._model_settings.apply(arguments, self._source.run)
        if payload.size <= INLINE_SIZE and resume is None:
            data = payload.read_all()
            checksum = hashlib.sha256(data).hexdigest()
            payload.check_unchanged(checksum)
            compare_expected(expected, checksum)
            statement = statements.register(data, {**arguments, "expected_checksum": checksum})
            parents = arguments["parent_ids"] or ()
            return self._run(statement, *parents, settings=self._settings)
        item = UploadItem(payload, resume)

        def finish() -> Statement[ModelVersion]:
            checksum = item.finish()
            compare_expected(expected, checksum)
            return statements.register_upload(
                item.upload_id or "", {**arguments, "expected_checksum": checksum}
            )

        return self._send([item], arguments, finish, progress)

    def _send(
        self,
        items: list[UploadItem],
        arguments: Mapping[str, Any],
        finish: Callable[[], Statement[ModelVersion]],
        progress: Progress,
    ) -> ModelVersion:
        total = sum(item.payload.size for item in items)
        try:
            self._source.run(statements.check_registration(arguments))
            transfer.begin(self._source, items)
            with meter(progress, total, "upload") as measured:
                return transfer.send(
                    self._source,
                    Upload(items, measured),
                    finish,
                    arguments,
                    settings=self._settings,
                )
        except FileChangedError:
            # What was sent is of no use to anybody.
            self._abandon(items)
            raise
        except ModelregError as error:
            if isinstance(error, NotFoundError):
                self._explain(error, arguments["parent_ids"] or ())
            note_upload(error, items, self._source.owned)
            raise

    def begin_upload(self, size: int | None = None) -> str:
        """Begin an upload for register_file's resume, so that its id is known before it breaks."""
        return self._source.run(statements.upload_begin(size))

    def upload_status(self, upload_id: str) -> UploadStatus:
        """How far an upload is."""
        return self._source.run(statements.upload_status(upload_id))

    def abort_upload(self, upload_id: str) -> None:
        """End an upload without registering it."""
        self._source.run(statements.upload_abort(upload_id))
