"""The part of AsyncModelRegistry that registers: objects, bytes, files and directories."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, BinaryIO

from modelreg import serializers, statements
from modelreg.aio import transfer
from modelreg.aio.connection import execute
from modelreg.aio.core import AsyncCore
from modelreg.aio.transfer import in_thread, threaded
from modelreg.core import PathArgument, Stage, Type
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
from modelreg.serializers import Serializer
from modelreg.statements import INLINE_SIZE, Statement
from modelreg.streaming import Upload, UploadItem, meter
from modelreg.transfer import can_change
from modelreg.tree import Tree
from modelreg.types import DeploymentStage, ModelVersion, Progress, RegistryConfig


class AsyncRegistering(AsyncCore):
    """Methods of AsyncModelRegistry."""

    async def check_registration(self, model_type: Type, **metadata: Any) -> None:
        """Raises what a registration with these arguments would be refused for.

        metadata are register_model's further arguments. Nothing is reserved: another registration
        may take the version meanwhile. What is streamed is checked so by itself before its first
        byte.
        """
        arguments = registration(model_type, **metadata)
        await self._run(statements.check_registration(arguments), *(arguments["parent_ids"] or ()))

    async def register_model(
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
        """Register a trained model. It must not change before this is done."""
        warn_if_path(model)
        chosen = serializers.choose(model, serializer or self.config.serializer)
        origin = await in_thread(serializers.Origin.of, chosen, model)
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
        async with threaded(_serialized(model, chosen, self.config)) as payload:
            return await self._register(payload, arguments, progress, None)

    async def register_bytes(
        self,
        data: bytes | bytearray | memoryview,
        model_type: Type,
        *,
        serializer: str = "bytes",
        progress: Progress = None,
        **metadata: Any,
    ) -> ModelVersion:
        """Register bytes as they are."""
        with Payload.of_bytes(as_bytes(data)) as payload:
            arguments = registration(
                model_type, **metadata, own_properties=file_properties(serializer, None, payload)
            )
            return await self._register(payload, arguments, progress, None)

    async def register_file(
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
        """Register the bytes of a file."""
        name = None
        if isinstance(path, (str, os.PathLike)):
            name = os.path.basename(os.fspath(path))
        async with threaded(_opened(path, self.config)) as payload:
            arguments = registration(
                model_type, **metadata, own_properties=file_properties(serializer, name, payload)
            )
            return await self._register(payload, arguments, progress, resume, expected_checksum)

    async def register_directory(
        self,
        path: PathArgument,
        model_type: Type,
        *,
        progress: Progress = None,
        **metadata: Any,
    ) -> ModelVersion:
        """Register a directory of files as one version."""
        tree = await in_thread(Tree.of, path)
        arguments = registration(model_type, **metadata, own_properties=directory_properties(tree))
        async with threaded(Payload.of_tree(tree.files)) as payloads:
            items = [UploadItem(payload) for payload in payloads]
            await self._apply_model_settings(arguments)

            def finish() -> Statement[ModelVersion]:
                return finish_directory(tree, items, arguments)

            try:
                return await self._send(items, arguments, finish, progress)
            except Exception as error:
                if not is_lost_connection(error):
                    with suppress(ModelregError):
                        await transfer.to_its_end(self._abort(items))
                raise

    async def _register(
        self,
        payload: Payload,
        arguments: dict[str, Any],
        progress: Progress,
        resume: str | None,
        expected: str | None = None,
    ) -> ModelVersion:
        await self._apply_model_settings(arguments)
        if payload.size <= INLINE_SIZE and resume is None:
            data = payload.read_all()
            checksum = hashlib.sha256(data).hexdigest()
            payload.check_unchanged(checksum)
            compare_expected(expected, checksum)
            statement = statements.register(data, {**arguments, "expected_checksum": checksum})
            parents = arguments["parent_ids"] or ()
            return await self._run(statement, *parents, settings=self._settings)
        item = UploadItem(payload, resume)

        def finish() -> Statement[ModelVersion]:
            checksum = item.finish()
            compare_expected(expected, checksum)
            return statements.register_upload(
                item.upload_id or "", {**arguments, "expected_checksum": checksum}
            )

        return await self._send([item], arguments, finish, progress)

    async def _send(
        self,
        items: list[UploadItem],
        arguments: Mapping[str, Any],
        finish: Callable[[], Statement[ModelVersion]],
        progress: Progress,
    ) -> ModelVersion:
        total = sum(item.payload.size for item in items)
        begun_here = [item for item in items if item.upload_id is None]
        try:
            await self._source.run(statements.check_registration(arguments))
            await transfer.begin(self._source, items)
            with meter(progress, total, "upload") as measured:
                return await transfer.send(
                    self._source,
                    Upload(items, measured),
                    finish,
                    arguments,
                    settings=self._settings,
                )
        except FileChangedError:
            # What was sent is of no use to anybody.
            with suppress(ModelregError):
                await transfer.to_its_end(self._abort(items))
            raise
        except ModelregError as error:
            if isinstance(error, NotFoundError):
                await self._explain(error, arguments["parent_ids"] or ())
            note_upload(error, items, self._source.owned)
            raise
        except asyncio.CancelledError:
            with suppress(ModelregError):
                await transfer.to_its_end(self._abort(begun_here))
            raise

    async def _abort(self, items: Sequence[UploadItem]) -> None:
        """Remove uploads that nobody will go on with; what a failed transaction does by itself."""
        with translated():
            async with self._source.connection() as connection:
                for item in items:
                    if item.upload_id is not None and can_change(connection):
                        await execute(connection, statements.upload_abort(item.upload_id))
                        item.upload_id = None

    async def _apply_model_settings(self, arguments: Mapping[str, Any]) -> None:
        steps = self._model_settings.steps(arguments)
        try:
            statement = next(steps)
            while True:
                try:
                    result = await self._source.run(statement)
                except ModelregError as error:
                    statement = steps.throw(error)
                else:
                    statement = steps.send(result)
        except StopIteration:
            return


@contextmanager
def _serialized(model: Any, serializer: Serializer, config: RegistryConfig) -> Iterator[Payload]:
    with serialize(model, serializer, config.temporary_directory) as payload:
        yield payload


@contextmanager
def _opened(path: PathArgument | BinaryIO, config: RegistryConfig) -> Iterator[Payload]:
    if isinstance(path, (str, os.PathLike)):
        payload = Payload.of_path(path)
    else:
        payload = Payload.of_file(path, config.temporary_directory)
    with payload:
        yield payload
