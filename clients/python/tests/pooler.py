"""A real PgBouncer before the tests' server: started here, on a socket of its own.

A test module names it in pytest_plugins, after it has imported from it: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from conftest import superuser

WAIT = 30.0  # seconds until it must answer
PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")

PoolerDsn = Callable[..., str]


def without_tracking() -> dict[str, int]:
    """The settings of a PgBouncer that does not follow prepared statements.

    1.21 and later can, 1.24 does unless told otherwise; those before know no such setting.
    """
    assert PGBOUNCER, "the tests need PgBouncer (Debian's package pgbouncer)"
    shown = subprocess.run([PGBOUNCER, "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"PgBouncer (\d+)\.(\d+)", shown.stdout)
    assert version, shown.stdout
    can = (int(version[1]), int(version[2])) >= (1, 21)
    return {"max_prepared_statements": 0} if can else {}


@contextmanager
def pgbouncer(database: str, **settings: Any) -> Iterator[str]:
    """The connection string of a PgBouncer for a database, with these settings."""
    assert PGBOUNCER, "the tests need PgBouncer (Debian's package pgbouncer)"
    with tempfile.TemporaryDirectory(prefix="mr") as directory, superuser() as connection:
        info = connection.info
        options = {
            "pool_mode": "transaction",
            "default_pool_size": 3,
            "max_client_conn": 100,
            "listen_addr": "",
            "listen_port": 6432,
            "unix_socket_dir": directory,
            "auth_type": "trust",
            "auth_file": f"{directory}/users",
            "logfile": f"{directory}/log",
            **settings,
        }
        ini = Path(directory, "ini")
        ini.write_text(
            f"[databases]\n{database} = host={info.host} port={info.port}\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in options.items())
        )
        Path(directory, "users").write_text(f'"{info.user}" ""\n')
        process = subprocess.Popen([PGBOUNCER, ini], stderr=subprocess.DEVNULL)
        try:
            dsn = make_conninfo(host=directory, port=6432, user=info.user, dbname=database)
            ends = time.monotonic() + WAIT
            while True:
                try:
                    psycopg.connect(dsn).close()
                    break
                except psycopg.OperationalError:
                    log = Path(options["logfile"])
                    assert time.monotonic() < ends, log.exists() and log.read_text()
                    time.sleep(0.05)
            yield dsn
        finally:
            process.terminate()
            process.wait(WAIT)


@pytest.fixture
def pooler(database: str) -> Iterator[PoolerDsn]:
    """A function that starts a PgBouncer, which lends three sessions by the transaction."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(pgbouncer(database, **settings))
