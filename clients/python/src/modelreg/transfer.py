"""Uploads and downloads over psycopg's synchronous connections, with resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from modelreg import statements
from modelreg.connection import (
    Connection,
    Retries,
    Source,
    cursor,
    execute,
    needs_transaction,
    session_settings,
)
from modelreg.errors import (
    ModelregError,
    NotFoundError,
    is_lost_connection,
    translate,
)
from modelreg.statements import Statement
from modelreg.streaming import COMMIT_SIZE, PART_SIZE, Download, Upload, UploadItem
from modelreg.types import ModelVersion


def can_change(connection: psycopg.BaseConnection[Any]) -> bool:
    """Whether a change would be made: by itself, or with a transaction that has not failed."""
    status = connection.pgconn.transaction_status
    return status == TransactionStatus.INTRANS or needs_transaction(connection)


def begin(source: Source, items: Sequence[UploadItem]) -> None:
    """Begin those uploads that were not begun before; ask how far the others are."""
    for item in items:
        if item.upload_id is not None:
            item.resume(source.run(statements.upload_status(item.upload_id)).bytes_held)
    backoff = Retries(source.retries)
    while new := [item for item in items if item.upload_id is None]:
        try:
            with source.connection() as connection:
                # An upload of which nobody heard is one that expires.
                ids = _begin(connection, [item.payload.size for item in new])
        except psycopg.Error as caught:
            error = translate(caught)
            if not (source.owned and is_lost_connection(caught) and backoff.wait()):
                raise error from caught
        else:
            for item, upload_id in zip(new, ids, strict=True):
                item.upload_id = upload_id


def _begin(connection: Connection, sizes: Sequence[int]) -> list[str]:
    """The ids of new uploads, one for each size."""
    with _pipeline(connection, len(sizes) > 1):
        cursors = []
        for size in sizes:
            cur = cursor(connection)
            _send(cur, statements.upload_begin(size))
            cursors.append(cur)
        return [_result(cur)[0] for cur in cursors]


def send(
    source: Source,
    upload: Upload,
    finish: Callable[[], Statement[ModelVersion]],
    arguments: Mapping[str, Any],
    *,
    settings: Mapping[str, str],
) -> ModelVersion:
    """Send all parts and register. finish() makes the last statement, when the digests are known.

    Where the source is owned, parts are committed now and then, and a lost connection costs what
    was not; else all is part of the caller's transaction. Raises ModelregErrors.
    """
    started = time.monotonic()
    backoff = Retries(source.retries)
    lost: ModelregError | None = None
    last: Statement[ModelVersion] | None = None
    while True:
        try:
            if lost is not None:
                for item in upload.interrupted():
                    assert item.upload_id is not None
                    item.resume(source.run(statements.upload_status(item.upload_id)).bytes_held)
            with source.connection() as connection:
                while not upload.done:
                    before = upload.bytes_confirmed
                    with session_settings(connection, settings):
                        _send_parts(connection, upload)
                    if upload.bytes_confirmed > before:
                        backoff = Retries(source.retries)
                # Once: it looks whether the files are as they were.
                last = last or finish()
                with session_settings(connection, settings):
                    return execute(connection, last)
        except (psycopg.Error, ModelregError) as caught:
            error = caught if isinstance(caught, ModelregError) else translate(caught)
            if lost is not None and isinstance(error, NotFoundError) and last is not None:
                # The upload is gone: the registration was made before its answer was lost. The
                # clock of the server counts; a second more covers the way there.
                seconds = time.monotonic() - started + 1
                checksum = last.params["expected_checksum"]
                version = source.run(statements.find_registration(arguments, checksum, seconds))
                if version is not None:
                    return version
            # A session whose end the server has not noticed yet may still append what it had.
            again = is_lost_connection(caught) or (
                lost is not None and error.sqlstate == "22023" and not upload.done
            )
            if not (again and source.owned and backoff.wait()):
                if error is caught:
                    raise
                raise error from caught
            lost = error


def _send_parts(connection: Connection, upload: Upload) -> None:
    """Send parts, one in flight while the server stores the one before, and wait for all of them.

    In autocommit, what one call has sent is committed at its end.
    """
    cursors = (cursor(connection), cursor(connection))
    before: psycopg.Cursor[Any] | None = None
    with _pipeline(connection):
        for number in range(COMMIT_SIZE // PART_SIZE):
            statement = upload.next_part()
            if statement is None:
                break
            current = cursors[number % 2]
            _send(current, statement)
            if before is not None:
                upload.confirm(_result(before)[0])
            before = current
        if before is not None:
            upload.confirm(_result(before)[0])


def _send(cur: psycopg.Cursor[Any], statement: Statement[Any]) -> None:
    cur.execute(statement.query, statement.params, prepare=statement.prepare, binary=True)


def _result(cur: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = cur.fetchone()
    assert row is not None
    return row


def _pipeline(connection: Connection, wanted: bool = True) -> Any:
    if wanted and psycopg.Pipeline.is_supported():
        return connection.pipeline()
    return nullcontext()


def receive(
    source: Source,
    download: Download,
    model_id: str,
    path: str | None = None,
    *,
    verify: bool = True,
) -> None:
    """Fetch what is missing of a version's bytes, or of one of its files.

    After a lost connection it goes on where it was. Raises ModelregErrors.

    To compare the SHA-256 of all that arrived with the version's is the caller's part. It finds
    whatever the server would find, so where the transaction is ours the server need not look
    as well, which makes it a third faster. `verify` false: nobody does.
    """
    backoff = Retries(source.retries)
    settings = {} if verify or source.owned else {"modelreg.verify_checksums": "off"}
    while True:
        before = download.received
        lent = False
        try:
            with source.connection() as connection:
                lent = True
                with session_settings(connection, settings):
                    statement = statements.download(
                        model_id, download.received, path, server_verifies=not source.owned
                    )
                    with (
                        cursor(connection) as cur,
                        cur.copy(statement.query, statement.params) as copy,
                    ):
                        copy.set_types(["bytea"])
                        for (piece,) in copy.rows():
                            download.feed(piece)
            return
        except psycopg.Error as error:
            if download.received > before:
                backoff = Retries(source.retries)
            again = lent and source.owned and is_lost_connection(error)
            if not (again and backoff.wait()):
                raise translate(error) from error
