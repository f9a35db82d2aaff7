"""Databases, roles and registries for the tests.

They need a server that has the extension, and a superuser's connection to it by libpq's
environment (PGHOST, PGUSER …). Each module works in a database of its own.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from modelreg import ModelRegistry, RegistryConfig

METRICS = {"f1_score": 0.85}


def superuser(dbname: str = "postgres") -> psycopg.Connection[Any]:
    """A superuser's connection, in autocommit."""
    return psycopg.connect(dbname=dbname, autocommit=True)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The name of a database with the extension, for this module."""
    name = f"regress_modelreg_py_{uuid.uuid4().hex[:12]}"
    with superuser() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        with superuser(name) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute("CREATE EXTENSION modelreg")
        yield name
    finally:
        with superuser() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass(frozen=True)
class Roles:
    """Login roles of this module; none has a password."""

    reader: str
    writer: str
    admin: str
    stranger: str


@pytest.fixture(scope="module")
def roles(database: str) -> Iterator[Roles]:
    suffix = uuid.uuid4().hex[:8]
    names = Roles(*(f"regress_modelreg_{kind}_{suffix}" for kind in Roles.__dataclass_fields__))
    with superuser(database) as connection:
        for kind in ("reader", "writer", "admin"):
            connection.execute(f"CREATE ROLE {getattr(names, kind)} LOGIN IN ROLE modelreg_{kind}")
        connection.execute(f"CREATE ROLE {names.stranger} LOGIN")
    try:
        yield names
    finally:
        with superuser(database) as connection:
            for kind in Roles.__dataclass_fields__:
                connection.execute(f"DROP OWNED BY {getattr(names, kind)}")
                connection.execute(f"DROP ROLE {getattr(names, kind)}")


@pytest.fixture
def dsn(database: str) -> str:
    """A superuser's connection string to the module's database."""
    return make_conninfo(dbname=database)


Open = Callable[..., ModelRegistry]


@pytest.fixture
def open_registry(database: str) -> Iterator[Open]:
    """A function that opens a registry as a role, with settings; closed after the test."""
    with contextlib.ExitStack() as stack:

        def open_registry(user: str | None = None, **settings: Any) -> ModelRegistry:
            where = make_conninfo(dbname=database, **({"user": user} if user else {}))
            return stack.enter_context(ModelRegistry(where, RegistryConfig(**settings)))

        yield open_registry


@pytest.fixture
def registry(open_registry: Open) -> ModelRegistry:
    """A superuser's registry."""
    return open_registry()


@pytest.fixture
def model(request: pytest.FixtureRequest) -> str:
    """A model name of the test's own."""
    return f"{request.node.name}"[:60] + "_" + uuid.uuid4().hex[:8]


@pytest.fixture
def sql(database: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to the module's database, to look and to meddle."""
    with superuser(database) as connection:
        yield connection
