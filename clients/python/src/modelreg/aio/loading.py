"""The part of AsyncModelRegistry that loads: objects, bytes, files and directories."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelreg import files, statements
from modelreg.aio import transfer
from modelreg.aio.core import AsyncCore
from modelreg.aio.transfer import in_thread, threaded
from modelreg.core import PathArgument, Stage, Type
from modelreg.errors import NotFoundError
from modelreg.opening import Loaded, Opening, check_directory, entry_of, is_executable
from modelreg.payload import temporary_file
from modelreg.preparing import find, readings, unknown
from modelreg.streaming import (
    Download,
    Meter,
    compare_checksum,
    describe,
    meter,
    parse_manifest,
)
from modelreg.types import FileEntry, ModelVersion, Progress, Trust


class AsyncLoading(AsyncCore):
    """Methods of AsyncModelRegistry."""

    async def load_model(
        self,
        model_id: str,
        verify_checksum: bool | None = None,
        trusted: Trust | None = None,
        *,
        serializer: str | None = None,
        trusted_types: Collection[str] = (),
        unpickle_unverified: bool = False,
        with_version: bool = False,
        progress: Progress = None,
    ) -> Any:
        """Load the object that was registered; with_version: a pair, Loaded(model, version)."""
        opening = self._opening(
            verify_checksum, trusted, serializer, trusted_types, unpickle_unverified
        )
        version, data = await self._find(model_id, opening.verify)
        model = await self._open(version, data, opening, progress)
        return Loaded(model, version) if with_version else model

    async def load_latest_model(
        self,
        model_type: Type | None = None,
        deployment_stage: Stage | None = None,
        min_performance: Mapping[str, float] | None = None,
        tags: Iterable[str] | None = None,
        *,
        model_name: str | None = None,
        version: str | None = None,
        max_performance: Mapping[str, float] | None = None,
        verify_checksum: bool | None = None,
        trusted: Trust | None = None,
        serializer: str | None = None,
        trusted_types: Collection[str] = (),
        unpickle_unverified: bool = False,
        with_version: bool = False,
        progress: Progress = None,
    ) -> Any:
        """Load the newest version that passes every filter; None if none does."""
        opening = self._opening(
            verify_checksum, trusted, serializer, trusted_types, unpickle_unverified
        )
        found = await self._source.run(
            statements.load_latest(
                opening.verify,
                model_type=model_type,
                deployment_stage=deployment_stage,
                min_performance=min_performance,
                tags=tags,
                model_name=model_name,
                version=version,
                max_performance=max_performance,
            )
        )
        if found is None:
            return None
        model = await self._open(*found, opening, progress)
        return Loaded(model, found[0]) if with_version else model

    async def load_bytes(
        self,
        model_id: str,
        path: str | None = None,
        *,
        verify_checksum: bool | None = None,
        progress: Progress = None,
    ) -> bytes:
        """The bytes of a version, uninterpreted; path names one file of a directory."""
        verify = self._verify(verify_checksum)
        version, data = await self._find(model_id, verify)
        if path is not None:
            entry = entry_of(await self._entries(version, verify), path, version)
            return await self._receive_bytes(
                version, entry.size, entry.sha256, path, verify, progress
            )
        if data is None:
            return await self._receive_bytes(
                version, version.artifact_size, version.checksum, None, verify, progress
            )
        if verify:
            compare_checksum(describe(version), version.checksum, hashlib.sha256(data).hexdigest())
        return data

    async def download(
        self,
        model_id: str,
        destination: PathArgument,
        *,
        path: str | None = None,
        verify_checksum: bool | None = None,
        progress: Progress = None,
        resume: bool = False,
    ) -> Path:
        """Write a version to a file, or one that is a directory to a directory; returns which."""
        verify = self._verify(verify_checksum)
        version = await self._version(model_id)
        if path is not None or version.file_count:
            entries = await self._entries(version, verify)
            if path is None:
                return await self._download_files(
                    version, entries, destination, verify, progress, resume
                )
            entry = entry_of(entries, path, version)
            target = Path(destination)
            if target.is_dir():
                target = target / path.rpartition("/")[2]
        else:
            entry = FileEntry("", version.artifact_size, version.checksum)
            target = files.target_file(version, destination)
        with meter(progress, entry.size, target.name) as measured:
            await self._receive_file(version, entry, target, verify, measured, resume)
        return target

    def _opening(
        self,
        verify_checksum: bool | None,
        trusted: Trust | None,
        serializer: str | None,
        trusted_types: Collection[str],
        unpickle_unverified: bool,
    ) -> Opening:
        return Opening(
            self.config,
            verify_checksum=verify_checksum,
            trusted=trusted,
            serializer=serializer,
            trusted_types=trusted_types,
            unpickle_unverified=unpickle_unverified,
        )

    def _verify(self, verify_checksum: bool | None) -> bool:
        return self.config.enable_checksums if verify_checksum is None else verify_checksum

    async def _find(self, reference: str, verify: bool) -> tuple[ModelVersion, bytes | None]:
        for pair in readings(reference):
            found = await self._source.run(
                statements.load_alias(*pair, verify) if pair else statements.load(reference, verify)
            )
            if found is not None:
                return found
        raise await self._unknown(reference)

    async def _unknown(self, reference: str) -> NotFoundError:
        error = unknown(reference)
        await self._explain(error, [reference])
        return error

    async def _version(self, reference: str) -> ModelVersion:
        version = await self._look(reference)
        if version is None:
            raise await self._unknown(reference)
        return version

    async def _look(self, reference: str) -> ModelVersion | None:
        for statement in find(reference):
            version = await self._source.run(statement)
            if version is not None:
                return version
        return None

    async def _open(
        self, version: ModelVersion, data: bytes | None, opening: Opening, progress: Progress
    ) -> Any:
        serializer = opening.check(version)
        if data is not None:
            checksum = hashlib.sha256(data).hexdigest()
            return await in_thread(opening.open, version, serializer, io.BytesIO(data), checksum)
        with (
            temporary_file(self.config.temporary_directory) as sink,
            meter(progress, version.artifact_size, version.model_id) as measured,
        ):
            download = Download(sink, version.artifact_size, measured)
            await transfer.receive(self._source, download, version.model_id, verify=opening.verify)
            sink.seek(0)
            return await in_thread(opening.open, version, serializer, sink, download.checksum)

    async def _receive_bytes(
        self,
        version: ModelVersion,
        size: int,
        checksum: str,
        path: str | None,
        verify: bool,
        progress: Progress,
    ) -> bytes:
        sink = io.BytesIO()
        with meter(progress, size, version.model_id) as measured:
            download = Download(sink, size, measured)
            await transfer.receive(self._source, download, version.model_id, path, verify=verify)
        if verify:
            compare_checksum(describe(version), checksum, download.checksum)
        return sink.getvalue()

    async def _entries(self, version: ModelVersion, verify: bool) -> list[FileEntry]:
        check_directory(version)
        data = await self._receive_bytes(
            version, version.artifact_size, version.checksum, None, verify, None
        )
        return parse_manifest(data)

    async def _receive_file(
        self,
        version: ModelVersion,
        entry: FileEntry,
        target: Path,
        verify: bool,
        measured: Meter,
        resume: bool,
    ) -> None:
        name = entry.sha256[:16] if resume else None
        incoming = files.incoming_file(
            target, entry.size, measured, name, is_executable(version, entry.path)
        )
        async with threaded(incoming) as download:
            await transfer.receive(
                self._source, download, version.model_id, entry.path or None, verify=verify
            )
            if verify:
                compare_checksum(describe(version), entry.sha256, download.checksum)

    async def _download_files(
        self,
        version: ModelVersion,
        entries: Sequence[FileEntry],
        destination: PathArgument,
        verify: bool,
        progress: Progress,
        resume: bool,
    ) -> Path:
        total = sum(entry.size for entry in entries)
        done = 0
        name = version.checksum[:16] if resume else None
        with meter(progress, total, version.model_id) as measured:
            async with threaded(files.incoming_directory(destination, name)) as directory:
                for entry in entries:
                    target = files.file_below(directory, entry)
                    if resume and await in_thread(files.has, target, entry):
                        if is_executable(version, entry.path):
                            files.make_executable(target)
                    else:
                        part = measured.after(done)
                        await self._receive_file(version, entry, target, verify, part, resume)
                    done += entry.size
                await in_thread(files.check_distinct, directory, entries)
        return Path(destination)
