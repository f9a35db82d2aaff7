#!/usr/bin/env python3
"""The registry from a client's side: psycopg 3 as programs use it.

Needs the server that tools/with-cluster starts; works in a database of its own.
"""

import enum
import hashlib
import json
import os
import threading
import unittest
from datetime import datetime, timezone

import psycopg
from psycopg import errors, sql
from psycopg.rows import namedtuple_row, scalar_row
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.json import Jsonb

DATABASE = "regress_modelreg_client"
TRAINER = "regress_modelreg_trainer"
RELEASER = "regress_modelreg_releaser"
SERVICE = "regress_modelreg_service"
POOL = "regress_modelreg_pool"
STRANGER = "regress_modelreg_stranger"

METRICS = Jsonb({"f1_score": 0.85})
REGISTER = ("SELECT * FROM modelreg_register(%b, 'client_test',"
            " model_name => %s, performance_metrics => %s)")


def connect(user=None, **more):
    """Connect as this role (the superuser without); statements commit at once."""
    settings = {"autocommit": True, "row_factory": namedtuple_row, **more}
    return psycopg.connect(dbname=DATABASE, user=user, **settings)


def setUpModule():
    tearDownModule()
    with psycopg.connect(dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
    with connect() as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("CREATE EXTENSION modelreg")
        for role, group in ((TRAINER, "modelreg_writer"),
                            (RELEASER, "modelreg_admin"),
                            (SERVICE, "modelreg_reader")):
            connection.execute(f"CREATE ROLE {role} LOGIN IN ROLE {group}")
        # A pooler logs in as one role and becomes the others, no more.
        connection.execute(f"CREATE ROLE {POOL} LOGIN NOINHERIT"
                           f" IN ROLE {TRAINER}, {RELEASER}, {SERVICE}")
        connection.execute(f"CREATE ROLE {STRANGER} LOGIN")
        connection.execute(f"CREATE TABLE run (id int); GRANT ALL ON run TO {TRAINER}")


def tearDownModule():
    with psycopg.connect(dbname="postgres", autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        for role in (POOL, TRAINER, RELEASER, SERVICE, STRANGER):
            connection.execute(f"DROP ROLE IF EXISTS {role}")


class ClientTest(unittest.TestCase):
    def setUp(self):
        # Each test has a model of its own.
        self.model = self._testMethodName.removeprefix("test_")
        self.trainer = self.enterContext(connect(TRAINER))
        self.releaser = self.enterContext(connect(RELEASER))
        self.service = self.enterContext(connect(SERVICE))

    def register(self, connection, artifact, **more):
        arguments = {"artifact": artifact, "model_type": "client_test",
                     "model_name": self.model, "performance_metrics": METRICS,
                     **more}
        named = sql.SQL(", ").join(
            sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name))
            for name in arguments)
        return connection.execute(
            sql.SQL("SELECT * FROM modelreg_register({})").format(named),
            arguments).fetchone()

    def versions(self, connection=None):
        """The model's version numbers, oldest first."""
        rows = (connection or self.service).execute(
            "SELECT version_number FROM modelreg_list(model_name => %s)",
            [self.model]).fetchall()
        return sorted(row.version_number for row in rows)

    def assertRefused(self, error_class, sqlstate, connection, query, *args):
        with self.assertRaises(error_class) as caught:
            connection.execute(query, args)
        self.assertEqual(caught.exception.sqlstate, sqlstate)
        return caught.exception

    def test_bytes_as_they_are(self):
        artifact = bytes(range(256)) + b"\0"
        for parameter, binary in (("%b", True), ("%b", False), ("%t", True),
                                  ("%s", False)):
            with self.subTest(parameter=parameter, binary=binary):
                model_id = self.trainer.execute(
                    f"SELECT model_id FROM modelreg_register({parameter}, 'x',"
                    f" model_name => %s, performance_metrics => %s)",
                    [artifact, self.model, METRICS], binary=binary).fetchone()[0]
                loaded = self.service.execute(
                    "SELECT modelreg_load(%s)", [model_id],
                    binary=binary).fetchone()[0]
                self.assertEqual(loaded, artifact)

    def test_bytes_like_objects(self):
        for kind in (bytearray, memoryview):
            row = self.register(self.trainer, kind(b"a model"))
            self.assertEqual(row.checksum, hashlib.sha256(b"a model").hexdigest())

    def test_prepared_statement(self):
        """The generic plan, which the server may take from the sixth time on."""
        for i in range(1, 11):
            artifact = os.urandom(1000 * i)
            row = self.trainer.execute(
                REGISTER, [artifact, self.model, METRICS], prepare=True).fetchone()
            self.assertEqual(row.version_number, i)
            loaded = self.service.execute(
                "SELECT artifact FROM modelreg_load_latest(model_name => %s)",
                [self.model], prepare=True, binary=True).fetchone()[0]
            self.assertEqual(loaded, artifact)

    def test_large_artifact(self):
        artifact = os.urandom(20 * 1024 * 1024)
        checksum = hashlib.sha256(artifact).hexdigest()
        row = self.register(self.trainer, artifact, expected_checksum=checksum)
        self.assertEqual((row.artifact_size, row.checksum),
                         (len(artifact), checksum))
        for binary in (True, False):
            loaded = self.service.execute(
                "SELECT modelreg_load(%s)", [row.model_id],
                binary=binary).fetchone()[0]
            self.assertEqual(hashlib.sha256(loaded).hexdigest(), checksum)
        # The same bytes again are stored once.
        again = self.register(self.trainer, artifact)
        self.assertEqual(again.checksum, checksum)
        stored = self.service.execute(
            "SELECT count(*) FROM modelreg.artifact"
            " WHERE sha256 = decode(%s, 'hex')", [checksum]).fetchone()[0]
        self.assertEqual(stored, 1)

    def test_all_arguments_by_name(self):
        parent = self.register(self.trainer, b"parent")
        trained = datetime(2024, 12, 5, 14, 30, tzinfo=timezone.utc)
        given = {
            "version": "2.0.0-rc.1+build.5",
            "performance_metrics": {"f1_score": 0.9, "n": 3, "tiny": 1e-300,
                                    "negative": -1.5},
            "deployment_stage": "staging",
            "tags": ["a b", 'quote"', "ünïcode", "comma,"],
            "notes": "line 1\nline 2 'quoted' \\ %s",
            "model_config": {"depth": 3, "nested": {"list": [1, None, "x"]}},
            "training_metadata": {"epochs": [0.5, 0.25]},
            "dataset_version": "2024-11-01",
            "parent_ids": [parent.model_id],
            "created_at": trained,
        }
        row = self.register(
            self.trainer, b"child",
            expected_checksum=hashlib.sha256(b"child").hexdigest().upper(),
            **{name: Jsonb(value) if isinstance(value, dict) else value
               for name, value in given.items()})
        for name, value in given.items():
            self.assertEqual(getattr(row, name), value, name)
        info = self.service.execute("SELECT * FROM modelreg_info(%s)",
                                    [row.model_id]).fetchone()
        self.assertEqual(info, row)
        self.assertEqual(row.registered_by, TRAINER)
        self.assertIsInstance(row.registered_at, datetime)

    def test_composite_result(self):
        """The function in the select list: one value, a row."""
        stage = EnumInfo.fetch(self.trainer, "modelreg.deployment_stage")
        Stage = enum.Enum("Stage", {label: label for label in stage.labels})
        register_enum(stage, self.trainer, Stage,
                      mapping={member: member.value for member in Stage})
        info = CompositeInfo.fetch(self.trainer, "modelreg.model_version")
        register_composite(info, self.trainer)
        for binary in (False, True):
            row = self.trainer.execute(
                "SELECT modelreg_register(%b, 'x', model_name => %s, tags => %s,"
                " performance_metrics => %s)",
                [b"bytes", self.model, ["a", "b"], METRICS],
                binary=binary).fetchone()[0]
            self.assertEqual(row.model_name, self.model)
            self.assertEqual(row.tags, ["a", "b"])
            self.assertEqual(row.performance_metrics, METRICS.obj)
            self.assertEqual(row.deployment_stage, Stage.development)
            self.assertIsNone(row.deployed_at)
        self.assertEqual(self.versions(), [1, 2])

    def test_metrics(self):
        for metrics, error_class, sqlstate in (
                ({}, errors.InvalidParameterValue, "22023"),
                ([1], errors.InvalidParameterValue, "22023"),
                ({"f1": "0.8"}, errors.InvalidParameterValue, "22023"),
                ({"f1": None}, errors.InvalidParameterValue, "22023"),
                ({"f1": {"mean": 1}}, errors.InvalidParameterValue, "22023"),
                # JSON has no such number, so the server refuses to read it.
                ({"f1": float("nan")}, errors.InvalidTextRepresentation, "22P02"),
                ({"f1": float("inf")}, errors.InvalidTextRepresentation, "22P02")):
            with self.subTest(metrics=metrics):
                self.assertRefused(error_class, sqlstate, self.trainer, REGISTER,
                                   b"x", self.model, Jsonb(metrics))
        self.register(self.trainer, b"x",
                      performance_metrics=Jsonb({"f1": 0.1 + 0.2, "n": 7}))
        found = self.service.execute(
            "SELECT performance_metrics FROM modelreg_find_latest("
            "model_name => %s, min_performance => %s, max_performance => %s)",
            [self.model, Jsonb({"f1": 0.1 + 0.2}), Jsonb({"n": 7})]).fetchone()
        self.assertEqual(found.performance_metrics, {"f1": 0.1 + 0.2, "n": 7})

    def test_callers_transaction(self):
        """Bytes, version and trail live and die with the caller's own rows."""
        def counts():
            return self.service.execute(
                "SELECT (SELECT count(*) FROM modelreg.artifact) AS artifacts,"
                " (SELECT count(*) FROM modelreg.model) AS models,"
                " (SELECT count(*) FROM modelreg.model_version) AS versions,"
                " (SELECT count(*) FROM modelreg.audit_event) AS events"
            ).fetchone()

        before = counts()
        with self.assertRaises(ZeroDivisionError), self.trainer.transaction():
            self.trainer.execute("INSERT INTO run VALUES (1)")
            self.register(self.trainer, os.urandom(100))
            self.assertEqual(self.versions(self.trainer), [1])
            self.assertEqual(self.versions(), [])
            raise ZeroDivisionError
        self.assertEqual(counts(), before)

        with self.trainer.transaction():
            self.trainer.execute("INSERT INTO run VALUES (2)")
            row = self.register(self.trainer, b"kept")
        run, xid = self.trainer.execute(
            "SELECT id, xmin::text FROM run").fetchone()
        self.assertEqual((run, self.versions()), (2, [1]))
        recorded = self.service.execute(
            "SELECT xid::text FROM modelreg_history(model_id => %s)",
            [row.model_id]).fetchone()[0]
        self.assertEqual(recorded, xid)

    def test_savepoint(self):
        """An error inside a nested transaction costs no number and no event."""
        with self.trainer.transaction():
            self.register(self.trainer, b"one", version="1.0.0")
            with self.assertRaises(errors.UniqueViolation):
                with self.trainer.transaction():
                    self.register(self.trainer, b"two", version="1.1.0")
                    self.register(self.trainer, b"three", version="1.0.0")
            row = self.register(self.trainer, b"four")
        self.assertEqual((row.version, row.version_number), ("1.1.0", 2))
        self.assertEqual(self.versions(), [1, 2])
        chain = self.service.execute(
            "SELECT events, ok FROM modelreg_audit_verify(%s)",
            [self.model]).fetchall()
        self.assertEqual(chain, [(3, True)])

    def test_aborted_transaction(self):
        with connect(TRAINER, autocommit=False) as connection:
            with self.assertRaises(errors.InvalidParameterValue):
                self.register(connection, b"")
            with self.assertRaises(errors.InFailedSqlTransaction):
                self.register(connection, b"x")
            connection.rollback()
            self.register(connection, b"x")
        self.assertEqual(self.versions(), [1])

    def test_errors(self):
        row = self.register(self.trainer, b"x", version="1.0.0")
        self.releaser.execute(
            "SELECT FROM modelreg_update_stage(%s, 'production')", [row.model_id])
        archived = self.register(self.releaser, b"y", deployment_stage="archived")
        load = "SELECT modelreg_load(%s)"
        move = "SELECT FROM modelreg_update_stage(%s, %s)"
        register = ("SELECT FROM modelreg_register(%b, 'x', model_name => %s,"
                    " version => %s, performance_metrics => %s)")
        for error_class, sqlstate, connection, query, *args in (
                (errors.UndefinedObject, "42704", self.service, load, "nowhere"),
                (errors.UndefinedObject, "42704", self.releaser, move,
                 "nowhere", "staging"),
                (errors.UniqueViolation, "23505", self.trainer, register,
                 b"z", self.model, "1.0.0", METRICS),
                (errors.InvalidParameterValue, "22023", self.trainer, register,
                 b"z", self.model, "1.0", METRICS),
                (errors.InvalidParameterValue, "22023", self.trainer, register,
                 b"", self.model, "2.0.0", METRICS),
                (errors.InvalidParameterValue, "22023", self.trainer, register,
                 b"z", "control\n", "2.0.0", METRICS),
                (errors.InvalidParameterValue, "22023", self.trainer, move,
                 row.model_id, "live"),
                (errors.DataException, "22000", self.trainer,
                 "SELECT FROM modelreg_register('x', 'x', model_name => %s,"
                 " performance_metrics => %s, expected_checksum => %s)",
                 self.model, METRICS, "0" * 64),
                (errors.ObjectInUse, "55006", self.releaser,
                 "SELECT modelreg_delete(%s)", row.model_id),
                (errors.ObjectNotInPrerequisiteState, "55000", self.releaser,
                 move, archived.model_id, "production"),
                (errors.InsufficientPrivilege, "42501", self.trainer, move,
                 row.model_id, "staging"),
                (errors.InsufficientPrivilege, "42501", self.service, register,
                 b"z", self.model, "2.0.0", METRICS)):
            with self.subTest(sqlstate=sqlstate, args=args):
                error = self.assertRefused(
                    error_class, sqlstate, connection, query, *args)
                self.assertTrue(error.diag.message_primary)
        # The connections are as good as before, and nothing has changed.
        self.assertEqual(self.versions(self.trainer), [1, 2])
        hint = self.assertRefused(
            errors.ObjectNotInPrerequisiteState, "55000", self.releaser, move,
            archived.model_id, "production").diag.message_hint
        self.assertIn("staging", hint)

    def test_cleanup_commits(self):
        """A procedure that commits works on an autocommit connection alone."""
        with connect(RELEASER, autocommit=False) as connection:
            self.assertRefused(errors.ActiveSqlTransaction, "25001", connection,
                               "CALL modelreg_cleanup()")
        for i in range(4):
            self.register(self.trainer, b"version %d" % i)
        self.releaser.execute(
            "SELECT FROM modelreg_update_model(%s, max_versions => 1)",
            [self.model])
        row = self.releaser.execute(
            "CALL modelreg_cleanup(model_name => %s, batch_size => 1)",
            [self.model]).fetchone()
        self.assertEqual(row.deleted, 3)
        self.assertEqual(self.versions(), [4])

    def test_reload_on_notification(self):
        """What a service does: listen, look, and load anew when told to."""
        first = self.register(self.trainer, b"first")
        second = self.register(self.trainer, b"second")
        self.service.execute("LISTEN modelreg")
        with self.releaser.transaction() as transaction:
            self.move_to_production(second)
            raise psycopg.Rollback(transaction)
        for version, artifact in ((first, b"first"), (second, b"second")):
            self.move_to_production(version)
            event = self.next_event("production")
            self.assertEqual(event["model_id"], version.model_id)
            loaded = self.service.execute(
                "SELECT model_id, artifact FROM modelreg_load_latest("
                "model_name => %s, deployment_stage => 'production')",
                [self.model], binary=True).fetchone()
            self.assertEqual(loaded, (version.model_id, artifact))
            seen = self.service.execute(
                "SELECT model_id, event FROM modelreg_history(model_name => %s)"
                " WHERE seq = %s", [self.model, event["seq"]]).fetchone()
            self.assertEqual(seen, (version.model_id, "stage"))

    def move_to_production(self, version):
        self.releaser.execute(
            "SELECT FROM modelreg_update_stage(%s, 'production')",
            [version.model_id])

    def next_event(self, stage):
        for notification in self.service.notifies(timeout=30):
            event = json.loads(notification.payload)
            if event["stage"] == stage:
                return event
        self.fail("no notification")

    def test_pipeline(self):
        with self.trainer.pipeline():
            cursors = [self.trainer.execute(REGISTER, [
                b"in one go %d" % i, self.model, METRICS]) for i in range(20)]
        self.assertEqual([c.fetchone().version_number for c in cursors],
                         list(range(1, 21)))
        # An error takes with it what came before it in the same pipeline
        # (an implicit transaction) and what comes after.
        with self.assertRaises(errors.InvalidParameterValue):
            with self.trainer.pipeline():
                for artifact in (b"good", b"", b"good as well"):
                    self.trainer.execute(REGISTER,
                                         [artifact, self.model, METRICS])
        self.assertEqual(self.versions(), list(range(1, 21)))
        row = self.trainer.execute(
            REGISTER, [b"after", self.model, METRICS]).fetchone()
        self.assertEqual(row.version_number, 21)

    def test_executemany(self):
        with self.trainer.cursor() as cursor:
            cursor.executemany(
                REGISTER, [(b"%d" % i, self.model, METRICS) for i in range(5)],
                returning=True)
            numbers = [cursor.fetchone().version_number
                       for _ in cursor.results()]
        self.assertEqual(numbers, [1, 2, 3, 4, 5])

    def test_pooled_connection(self):
        """The role set by SET ROLE counts, whoever has logged in."""
        arguments = [b"x", self.model, METRICS]
        with connect(POOL) as pooled:
            self.assertRefused(errors.InsufficientPrivilege, "42501", pooled,
                               REGISTER, *arguments)
            pooled.execute(f"SET ROLE {TRAINER}")
            # Prepared, so that the next client gets the same plan.
            row = pooled.execute(REGISTER, arguments, prepare=True).fetchone()
            self.assertEqual(row.registered_by, TRAINER)
            event = self.service.execute(
                "SELECT session_user_name, actor FROM modelreg_history("
                "model_id => %s)", [row.model_id]).fetchone()
            self.assertEqual(event, (POOL, TRAINER))

            pooled.execute(f"SET ROLE {SERVICE}")
            with self.assertRaises(errors.InsufficientPrivilege):
                pooled.execute(REGISTER, arguments, prepare=True)
            self.assertEqual(
                pooled.execute("SELECT modelreg_load(%s)",
                               [row.model_id], binary=True).fetchone()[0], b"x")

            pooled.execute(f"SET ROLE {RELEASER}")
            moved = pooled.execute(
                "SELECT * FROM modelreg_update_stage(%s, 'canary')",
                [row.model_id]).fetchone()
            self.assertEqual(moved.deployment_stage, "canary")

            pooled.execute("RESET ROLE")
            self.assertRefused(errors.InsufficientPrivilege, "42501", pooled,
                               "SELECT modelreg_load(%s)", row.model_id)
        self.assertEqual(self.versions(), [1])

    def test_local_role(self):
        """SET LOCAL ROLE, as a pooler in transaction mode has it."""
        with connect(POOL) as pooled:
            with pooled.transaction():
                pooled.execute(f"SET LOCAL ROLE {TRAINER}")
                row = self.register(pooled, b"x")
            self.assertEqual(row.registered_by, TRAINER)
            with self.assertRaises(errors.InsufficientPrivilege):
                self.register(pooled, b"x")

    def test_stranger(self):
        with connect(STRANGER) as stranger:
            for query in ("SELECT * FROM modelreg_list()",
                          "SELECT * FROM modelreg.model_version",
                          "SELECT FROM modelreg_register('x', 'x')"):
                self.assertRefused(errors.InsufficientPrivilege, "42501",
                                   stranger, query)

    def test_pages(self):
        for i in range(1, 8):
            self.register(self.trainer, b"page %d" % i)
        numbers, before = [], None
        while rows := self.service.execute(
                "SELECT model_id, version_number FROM modelreg_list("
                "model_name => %s, max_rows => 3, before_id => %s)",
                [self.model, before]).fetchall():
            numbers.append([row.version_number for row in rows])
            before = rows[-1].model_id
        self.assertEqual(numbers, [[7, 6, 5], [4, 3, 2], [1]])

    def test_server_side_cursor(self):
        for i in range(5):
            self.register(self.trainer, b"%d" % i)
        with self.service.transaction(), self.service.cursor(
                "listing", row_factory=scalar_row) as cursor:
            cursor.itersize = 2
            cursor.execute("SELECT version_number FROM modelreg_list("
                           "model_name => %s)", [self.model])
            self.assertEqual(list(cursor), [5, 4, 3, 2, 1])

    def test_threads(self):
        """Connections of many threads register into one model at once."""
        threads, each, failures = 8, 5, []

        def work(number):
            try:
                with connect(TRAINER) as connection:
                    for i in range(each):
                        self.register(connection, b"%d %d" % (number, i))
            except Exception as error:
                failures.append(error)

        workers = [threading.Thread(target=work, args=[n]) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.assertEqual(failures, [])
        self.assertEqual(self.versions(), list(range(1, threads * each + 1)))
        rows = self.service.execute("SELECT ok FROM modelreg_verify()").fetchall()
        self.assertTrue(rows and all(row.ok for row in rows))


if __name__ == "__main__":
    unittest.main()
