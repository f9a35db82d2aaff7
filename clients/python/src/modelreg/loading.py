"""The part of ModelRegistry that loads: objects, bytes, files and directories."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

from modelreg import files, statements, transfer
from modelreg.core import Core, PathArgument, Stage, Type
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


class Loading(Core):
    """Methods of ModelRegistry."""

    @overload
    def load_model(
        self,
        model_id: str,
        verify_checksum: bool | None = None,
        trusted: Trust | None = None,
        *,
        serializer: str | None = None,
        trusted_types: Collection[str] = (),
        unpickle_unverified: bool = False,
        with_version: Literal[False] = False,
        progress: Progress = None,
    ) -> Any: ...

    @overload
    def load_model(
        self,
        model_id: str,
        verify_checksum: bool | None = None,
        trusted: Trust | None = None,
        *,
        serializer: str | None = None,
        trusted_types: Collection[str] = (),
        unpickle_unverified: bool = False,
        with_version: Literal[True],
        progress: Progress = None,
    ) -> Loaded: ...

    def load_model(
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
        """Load the object that was registered; with_version: a pair, Loaded(model, version).

        Nothing is interpreted before the SHA-256 of what arrived is that of the version, and is
        trusted: in a set of digests, or by a function that is told the version. trusted None is
        as the settings say, which at first is to trust whoever may register.

        verify_checksum False leaves the comparison out, here and in the server. Serializers whose
        reading runs code then refuse, unless trusted is given or unpickle_unverified is true.

        serializer overrides what the version says. trusted_types are classes that skops may make
        beside those it knows.
        """
        opening = Opening(
            self.config,
            verify_checksum=verify_checksum,
            trusted=trusted,
            serializer=serializer,
            trusted_types=trusted_types,
            unpickle_unverified=unpickle_unverified,
        )
        version, data = self._find(model_id, opening.verify)
        model = self._open(version, data, opening, progress)
        return Loaded(model, version) if with_version else model

    @overload
    def load_latest_model(
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
        with_version: Literal[False] = False,
        progress: Progress = None,
    ) -> Any: ...

    @overload
    def load_latest_model(
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
        with_version: Literal[True],
        progress: Progress = None,
    ) -> Loaded | None: ...

    def load_latest_model(
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
        """Load the newest version that passes every filter; None if none does.

        All of tags must be there; each metric in min_performance at least so high, in
        max_performance at most. The further arguments are load_model's.
        """
        opening = Opening(
            self.config,
            verify_checksum=verify_checksum,
            trusted=trusted,
            serializer=serializer,
            trusted_types=trusted_types,
            unpickle_unverified=unpickle_unverified,
        )
        found = self._source.run(
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
        model = self._open(*found, opening, progress)
        return Loaded(model, found[0]) if with_version else model

    def load_bytes(
        self,
        model_id: str,
        path: str | None = None,
        *,
        verify_checksum: bool | None = None,
        progress: Progress = None,
    ) -> bytes:
        """The bytes of a version, uninterpreted; path names one file of a directory.

        The bytes of a directory itself are the list of its files.
        """
        verify = self._verify(verify_checksum)
        version, data = self._find(model_id, verify)
        if path is not None:
            entry = entry_of(self._entries(version, verify), path, version)
            return self._receive_bytes(version, entry.size, entry.sha256, path, verify, progress)
        if data is None:
            return self._receive_bytes(
                version, version.artifact_size, version.checksum, None, verify, progress
            )
        if verify:
            compare_checksum(describe(version), version.checksum, hashlib.sha256(data).hexdigest())
        return data

    def download(
        self,
        model_id: str,
        destination: PathArgument,
        *,
        path: str | None = None,
        verify_checksum: bool | None = None,
        progress: Progress = None,
        resume: bool = False,
    ) -> Path:
        """Write a version to a file, or one that is a directory to a directory; returns which.

        If the destination is a directory, a file goes into it, under the name that it was
        registered from, or the model_id; the files of a directory replace those of the same names
        there. path fetches one file of a directory only.

        Nothing is there before it is complete and verified. With resume, what arrived stays if the
        download fails, in a hidden .part beside the destination, and the next one with resume
        goes on from there.
        """
        verify = self._verify(verify_checksum)
        version = self._version(model_id)
        if path is not None or version.file_count:
            entries = self._entries(version, verify)
            if path is None:
                return self._download_files(version, entries, destination, verify, progress, resume)
            entry = entry_of(entries, path, version)
            target = Path(destination)
            if target.is_dir():
                target = target / path.rpartition("/")[2]
        else:
            entry = FileEntry("", version.artifact_size, version.checksum)
            target = files.target_file(version, destination)
        with meter(progress, entry.size, target.name) as measured:
            self._receive_file(version, entry, target, verify, measured, resume)
        return target

    def list_files(self, model_id: str) -> list[FileEntry]:
        """The files of a version that is a directory; none for any other."""
        version = self._version(model_id)
        return self._source.run(statements.files(version.model_id)) if version.file_count else []

    def _verify(self, verify_checksum: bool | None) -> bool:
        return self.config.enable_checksums if verify_checksum is None else verify_checksum

    def _find(self, reference: str, verify: bool) -> tuple[ModelVersion, bytes | None]:
        """A version with its bytes if they are few. Raises NotFoundError."""
        for pair in readings(reference):
            found = self._source.run(
                statements.load_alias(*pair, verify) if pair else statements.load(reference, verify)
            )
            if found is not None:
                return found
        raise self._unknown(reference)

    def _unknown(self, reference: str) -> NotFoundError:
        error = unknown(reference)
        self._explain(error, [reference])
        return error

    def _version(self, reference: str) -> ModelVersion:
        version = self._look(reference)
        if version is None:
            raise self._unknown(reference)
        return version

    def _look(self, reference: str) -> ModelVersion | None:
        for statement in find(reference):
            version = self._source.run(statement)
            if version is not None:
                return version
        return None

    def _open(
        self, version: ModelVersion, data: bytes | None, opening: Opening, progress: Progress
    ) -> Any:
        serializer = opening.check(version)
        if data is not None:
            checksum = hashlib.sha256(data).hexdigest()
            return opening.open(version, serializer, io.BytesIO(data), checksum)
        with (
            temporary_file(self.config.temporary_directory) as sink,
            meter(progress, version.artifact_size, version.model_id) as measured,
        ):
            download = Download(sink, version.artifact_size, measured)
            transfer.receive(self._source, download, version.model_id, verify=opening.verify)
            sink.seek(0)
            return opening.open(version, serializer, sink, download.checksum)

    def _receive_bytes(
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
            transfer.receive(self._source, download, version.model_id, path, verify=verify)
        if verify:
            compare_checksum(describe(version), checksum, download.checksum)
        return sink.getvalue()

    def _entries(self, version: ModelVersion, verify: bool) -> list[FileEntry]:
        check_directory(version)
        data = self._receive_bytes(
            version, version.artifact_size, version.checksum, None, verify, None
        )
        return parse_manifest(data)

    def _receive_file(
        self,
        version: ModelVersion,
        entry: FileEntry,
        target: Path,
        verify: bool,
        measured: Meter,
        resume: bool,
    ) -> None:
        name = entry.sha256[:16] if resume else None
        executable = is_executable(version, entry.path)
        with files.incoming_file(target, entry.size, measured, name, executable) as download:
            transfer.receive(
                self._source, download, version.model_id, entry.path or None, verify=verify
            )
            if verify:
                compare_checksum(describe(version), entry.sha256, download.checksum)

    def _download_files(
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
        with (
            meter(progress, total, version.model_id) as measured,
            files.incoming_directory(
                destination, version.checksum[:16] if resume else None
            ) as directory,
        ):
            for entry in entries:
                target = files.file_below(directory, entry)
                if resume and files.has(target, entry):
                    if is_executable(version, entry.path):
                        files.make_executable(target)
                else:
                    part = measured.after(done)
                    self._receive_file(version, entry, target, verify, part, resume)
                done += entry.size
            files.check_distinct(directory, entries)
        return Path(destination)
