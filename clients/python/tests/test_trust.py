"""Nothing is unpickled before its SHA-256, and the caller's trust in it, have been checked."""

from __future__ import annotations

import hashlib
import os
import pickle
import warnings

import pytest

from conftest import METRICS
from modelreg import (
    ChecksumError,
    InvalidArgumentError,
    ModelRegistry,
    UntrustedError,
    UnverifiedWarning,
)
from test_streaming import damage

SIZES = [0, 3 * 1024 * 1024]


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path, ballast):
        self.path = path
        self.ballast = ballast

    def __reduce__(self):
        return (explode, (str(self.path), self.ballast))


def explode(path, ballast):
    with open(path, "x") as file:
        file.write("boom")
    return "exploded"


@pytest.fixture
def crater(tmp_path):
    return tmp_path / "crater"


@pytest.fixture(params=["pickle", "joblib"])
def serializer(request):
    pytest.importorskip(request.param)
    return request.param


def register(registry, model, obj, **more):
    return registry.register_model(
        obj, "x", **{"performance_metrics": METRICS, "model_name": model, **more}
    )


def replace_bytes(sql, version, data):
    """Have the database hold other bytes for a version, whole in themselves, past all guards."""
    other = sql.execute(
        "SELECT checksum FROM modelreg_register(%b, 'other', performance_metrics => '{\"a\": 1}')",
        [data],
    ).fetchone()[0]
    triggers = sql.execute(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'modelreg.artifact'::regclass"
    ).fetchall()
    with sql.transaction():
        for (trigger,) in triggers:
            sql.execute(f"ALTER TABLE modelreg.artifact DISABLE TRIGGER {trigger}")
        content, size = sql.execute(
            "DELETE FROM modelreg.artifact WHERE encode(sha256, 'hex') = %s"
            " RETURNING content, artifact_size",
            [other],
        ).fetchone()
        assert size == version.artifact_size
        sql.execute(
            "UPDATE modelreg.artifact SET content = %s WHERE encode(sha256, 'hex') = %s",
            [content, version.checksum],
        )
        for (trigger,) in triggers:
            sql.execute(f"ALTER TABLE modelreg.artifact ENABLE ALWAYS TRIGGER {trigger}")


def test_the_bomb_works(registry, model, crater, serializer):
    """Otherwise nothing below would prove anything."""
    version = register(registry, model, Bomb(crater, b""), serializer=serializer)
    assert registry.load_model(version.model_id) == "exploded"
    assert crater.exists()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("believing", [False, True])
def test_tampered(registry, dsn, model, crater, sql, serializer, size, believing):
    """Bytes that a superuser put in the place of the registered ones are never unpickled.

    believing: the server was told not to verify, and hands them out.
    """
    version = register(registry, model, os.urandom(size + 1000), serializer=serializer)
    bomb = pickle.dumps(Bomb(crater, os.urandom(size)))
    replace_bytes(sql, version, bomb.ljust(version.artifact_size, b"\0"))
    if believing:
        sql.execute("ALTER ROLE CURRENT_USER IN DATABASE " + registry_database(sql) +
                    " SET modelreg.verify_checksums = off")  # fmt: skip
    try:
        with ModelRegistry(dsn) as reader:
            for call in (
                lambda: reader.load_model(version.model_id),
                lambda: reader.load_model(version.model_id, verify_checksum=True),
                lambda: reader.load_model(version.model_id, trusted={version.checksum}),
                lambda: reader.load_model(version.model_id, trusted=lambda v: True),
                lambda: reader.load_latest_model(model_name=model),
            ):
                with pytest.raises(ChecksumError):
                    call()
            # Without verification, trust in the digest is still asked for, of what arrived.
            with pytest.raises(UntrustedError):
                reader.load_model(
                    version.model_id, verify_checksum=False, trusted={version.checksum}
                )
            with pytest.raises(ChecksumError):
                reader.load_model(version.model_id, verify_checksum=False, trusted=lambda v: True)
            with pytest.raises(UntrustedError, match="runs code"):
                reader.load_model(version.model_id, verify_checksum=False)
            assert not crater.exists()
            assert bomb in reader.load_bytes(version.model_id, verify_checksum=False)
            assert not crater.exists()
            with pytest.warns(UnverifiedWarning):
                reader.load_model(version.model_id, verify_checksum=False, unpickle_unverified=True)
            assert crater.exists()
    finally:
        sql.execute("ALTER ROLE CURRENT_USER IN DATABASE " + registry_database(sql) +
                    " RESET modelreg.verify_checksums")  # fmt: skip


def registry_database(sql):
    return sql.execute("SELECT current_database()").fetchone()[0]


@pytest.mark.parametrize("size", SIZES)
def test_damaged(registry, model, crater, sql, serializer, size):
    version = register(registry, model, Bomb(crater, os.urandom(size)), serializer=serializer)
    damage(sql, version)
    with pytest.raises(ChecksumError):
        registry.load_model(version.model_id)
    assert not crater.exists()


@pytest.mark.parametrize("size", SIZES)
def test_trusted_digests(registry, open_registry, model, crater, serializer, size):
    version = register(registry, model, Bomb(crater, os.urandom(size)), serializer=serializer)
    other = hashlib.sha256(b"other").hexdigest()
    for trusted in (set(), {other}, [other, "0" * 64], lambda v: False, lambda v: v.version == "9"):
        for verify in (True, False, None):
            with pytest.raises(UntrustedError):
                registry.load_model(version.model_id, verify, trusted)
        with pytest.raises(UntrustedError):
            registry.load_latest_model(model_name=model, trusted=trusted)
        with pytest.raises(UntrustedError):
            open_registry(trusted=trusted).load_model(version.model_id)
    assert not crater.exists()
    pinned = open_registry(trusted=frozenset({version.checksum.upper(), other}))
    assert pinned.load_model(version.model_id) == "exploded"
    crater.unlink()
    by_role = open_registry(trusted=lambda v: v.registered_by == version.registered_by)
    assert by_role.load_latest_model(model_name=model) == "exploded"
    crater.unlink()
    # What the caller says here goes before the settings.
    with pytest.raises(UntrustedError):
        pinned.load_model(version.model_id, trusted={other})
    assert not crater.exists()


def test_trust_that_is_none(registry, open_registry, model):
    version = register(registry, model, [1])
    for bad in (
        version.checksum,
        {"latest"},
        {version.model_id},
        {version.checksum[:-1]},
        b"x",
        [5],
    ):
        with pytest.raises(InvalidArgumentError):
            registry.load_model(version.model_id, trusted=bad)
        with pytest.raises(InvalidArgumentError):
            open_registry(trusted=bad).load_model(version.model_id)


def test_safe_ones_need_no_checksum(registry, model):
    """Rescuing bytes runs nothing."""
    version = register(registry, model, b"abc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert registry.load_model(version.model_id, verify_checksum=False) == b"abc"


def test_checksums_switched_off(open_registry, registry, model):
    version = register(registry, model, [1])
    careless = open_registry(enable_checksums=False)
    with pytest.raises(UntrustedError):
        careless.load_model(version.model_id)
    assert careless.load_model(version.model_id, verify_checksum=True) == [1]
    assert careless.load_model(version.model_id, trusted={version.checksum}) == [1]


def test_serializer_recorded_by_others(registry, model, crater, sql):
    """Whoever may edit properties cannot have safe bytes unpickled that are not trusted."""
    version = registry.register_bytes(
        pickle.dumps(Bomb(crater, b"")), "x", model_name=model, performance_metrics=METRICS
    )
    assert registry.load_model(version.model_id)
    sql.execute(
        'SELECT FROM modelreg_update(%s, properties => \'{"modelreg.serializer": "pickle"}\')',
        [version.model_id],
    )
    with pytest.raises(UntrustedError):
        registry.load_model(version.model_id, trusted=set())
    assert registry.load_model(version.model_id, serializer="bytes")
    assert not crater.exists()


@pytest.mark.parametrize("size", SIZES)
def test_trust_that_must_be_awaited(registry, model, crater, serializer, size):
    """The coroutine is true, whatever the function would say."""

    async def never(version):
        return False

    version = register(registry, model, Bomb(crater, os.urandom(size)), serializer=serializer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InvalidArgumentError, match="plain function"):
            registry.load_model(version.model_id, trusted=never)
    assert not crater.exists()
