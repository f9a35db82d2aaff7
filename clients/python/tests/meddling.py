"""What goes wrong in real life, done to a test's database on purpose."""

from __future__ import annotations

from typing import Any

import psycopg


def damage(sql: psycopg.Connection[Any]) -> None:
    """Change the last byte of all chunks that are stored, as a broken disk would.

    It is one that compression leaves as it is, so that they can still be read.
    """
    with sql.transaction():
        triggers = sql.execute(
            "SELECT tgname FROM pg_trigger"
            " WHERE tgrelid = 'modelreg.chunk_piece'::regclass AND NOT tgisinternal"
        ).fetchall()
        sql.execute("ALTER TABLE modelreg.chunk_piece DISABLE TRIGGER USER")
        sql.execute(
            "UPDATE modelreg.chunk_piece AS piece"
            " SET data = set_byte(data, length(data) - 1, get_byte(data, length(data) - 1) # 4)"
            " WHERE piece_no = (SELECT max(piece_no) FROM modelreg.chunk_piece AS other"
            " WHERE other.chunk = piece.chunk)"
        )
        for (name,) in triggers:
            sql.execute(f"ALTER TABLE modelreg.chunk_piece ENABLE ALWAYS TRIGGER {name}")
