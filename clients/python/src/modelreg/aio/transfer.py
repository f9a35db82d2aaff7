"""Uploads and downloads over psycopg's asynchronous connections: transfer.py for asyncio.

Reading, writing and hashing happen in threads, a megabyte at a time, so that the loop stays free.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from typing import Any, ParamSpec, TypeVar

import psycopg

from modelreg import statements
from modelreg.aio.connection import (
    AsyncConnection,
    AsyncSource,
    cursor,
    execute,
    pause,
    session_settings,
)
from modelreg.connection import Retries
from modelreg.errors import (
    ModelregError,
    NotFoundError,
    is_lost_connection,
    translate,
)
from modelreg.statements import Statement
from modelreg.streaming import COMMIT_SIZE, PART_SIZE, Download, Upload, UploadItem
from modelreg.types import ModelVersion

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a thread. If cancelled, wait for it: afterwards, nothing is in use."""
    return await to_its_end(asyncio.to_thread(function, *args, **kwargs))


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Await something that must not stop halfway: if cancelled, it is waited for all the same."""
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        with suppress(Exception):
            await running
        raise


@asynccontextmanager
async def threaded(manager: AbstractContextManager[T]) -> AsyncIterator[T]:
    """A context manager whose beginning and end, which read and write files, run in threads."""
    entering = asyncio.ensure_future(asyncio.to_thread(manager.__enter__))
    try:
        value = await asyncio.shield(entering)
    except asyncio.CancelledError as error:
        with suppress(Exception):
            await entering
            await in_thread(manager.__exit__, type(error), error, error.__traceback__)
        raise
    try:
        yield value
    except BaseException as error:
        if not await in_thread(manager.__exit__, type(error), error, error.__traceback__):
            raise
    else:
        await in_thread(manager.__exit__, None, None, None)


async def begin(source: AsyncSource, items: Sequence[UploadItem]) -> None:
    """Begin those uploads that were not begun before; ask how far the others are."""
    for item in items:
        if item.upload_id is not None:
            status = await source.run(statements.upload_status(item.upload_id))
            await in_thread(item.resume, status.bytes_held)
    backoff = Retries(source.retries)
    while new := [item for item in items if item.upload_id is None]:
        try:
            async with source.connection() as connection:
                # Or there were uploads of which nobody knows.
                await to_its_end(_begin(connection, new))
        except psycopg.Error as error:
            again = source.owned and is_lost_connection(error)
            if not (again and await pause(backoff)):
                raise translate(error) from error


async def _begin(connection: AsyncConnection, items: Sequence[UploadItem]) -> None:
    async with _pipeline(connection, len(items) > 1):
        results = []
        for item in items:
            cur = cursor(connection)
            await _send(cur, statements.upload_begin(item.payload.size))
            results.append(cur)
        for item, cur in zip(items, results, strict=True):
            item.upload_id = (await _result(cur))[0]


async def send(
    source: AsyncSource,
    upload: Upload,
    finish: Callable[[], Statement[ModelVersion]],
    arguments: Mapping[str, Any],
    *,
    settings: Mapping[str, str],
) -> ModelVersion:
    """Send all parts and register; see transfer.send."""
    started = time.monotonic()
    backoff = Retries(source.retries)
    lost: ModelregError | None = None
    last: Statement[ModelVersion] | None = None
    while True:
        try:
            if lost is not None:
                for item in upload.interrupted():
                    assert item.upload_id is not None
                    status = await source.run(statements.upload_status(item.upload_id))
                    await in_thread(item.resume, status.bytes_held)
            async with source.connection() as connection:
                while not upload.done:
                    before = upload.bytes_confirmed
                    async with session_settings(connection, settings):
                        await _send_parts(connection, upload)
                    if upload.bytes_confirmed > before:
                        backoff = Retries(source.retries)
                last = last if last is not None else await in_thread(finish)
                async with session_settings(connection, settings):
                    return await execute(connection, last)
        except (psycopg.Error, ModelregError) as caught:
            error = caught if isinstance(caught, ModelregError) else translate(caught)
            if lost is not None and isinstance(error, NotFoundError) and last is not None:
                # The registration was made before its answer was lost; see transfer.send.
                seconds = time.monotonic() - started + 1
                checksum = last.params["expected_checksum"]
                version = await source.run(
                    statements.find_registration(arguments, checksum, seconds)
                )
                if version is not None:
                    return version
            again = is_lost_connection(caught) or (
                lost is not None and error.sqlstate == "22023" and not upload.done
            )
            if not (again and source.owned and await pause(backoff)):
                if error is caught:
                    raise
                raise error from caught
            lost = error


async def _send_parts(connection: AsyncConnection, upload: Upload) -> None:
    """Send parts, one in flight while the server stores the one before; wait for all of them."""
    cursors = (cursor(connection), cursor(connection))
    before: psycopg.AsyncCursor[Any] | None = None
    async with _pipeline(connection):
        for number in range(COMMIT_SIZE // PART_SIZE):
            statement = await in_thread(upload.next_part)
            if statement is None:
                break
            current = cursors[number % 2]
            await _send(current, statement)
            if before is not None:
                upload.confirm((await _result(before))[0])
            before = current
        if before is not None:
            upload.confirm((await _result(before))[0])


async def _send(cur: psycopg.AsyncCursor[Any], statement: Statement[Any]) -> None:
    await cur.execute(statement.query, statement.params, prepare=statement.prepare, binary=True)


async def _result(cur: psycopg.AsyncCursor[Any]) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = await cur.fetchone()
    assert row is not None
    return row


def _pipeline(
    connection: AsyncConnection, wanted: bool = True
) -> AbstractAsyncContextManager[object]:
    if wanted and psycopg.AsyncPipeline.is_supported():
        return connection.pipeline()
    return nullcontext()


async def receive(
    source: AsyncSource,
    download: Download,
    model_id: str,
    path: str | None = None,
    *,
    verify: bool = True,
) -> None:
    """Fetch what is missing of a version's bytes, or of one of its files; see transfer.receive."""
    backoff = Retries(source.retries)
    settings = {} if verify or source.owned else {"modelreg.verify_checksums": "off"}
    while True:
        before = download.received
        lent = False
        try:
            async with source.connection() as connection:
                lent = True
                async with session_settings(connection, settings):
                    statement = statements.download(
                        model_id, download.received, path, server_verifies=not source.owned
                    )
                    await _copy(connection, statement, download)
            return
        except psycopg.Error as error:
            if download.received > before:
                backoff = Retries(source.retries)
            again = lent and source.owned and is_lost_connection(error)
            if not (again and await pause(backoff)):
                raise translate(error) from error


async def _copy(
    connection: AsyncConnection, statement: Statement[None], download: Download
) -> None:
    pieces: list[bytes] = []
    size = 0
    async with cursor(connection) as cur, cur.copy(statement.query, statement.params) as copy:
        copy.set_types(["bytea"])
        try:
            async for (piece,) in copy.rows():
                pieces.append(piece)
                size += len(piece)
                if size >= PART_SIZE:
                    full, pieces, size = pieces, [], 0
                    await in_thread(_feed, download, full)
        finally:
            # What came before the connection was lost counts.
            if pieces:
                await in_thread(_feed, download, pieces)


def _feed(download: Download, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        download.feed(piece)
