#!/usr/bin/env python3
"""Artifacts in parts, as programs send and fetch them with psycopg 3.

Needs the server that tools/with-cluster starts; works in a database of its own.
"""

import hashlib
import os
import select
import unittest

import psycopg
from psycopg import errors
from psycopg.rows import namedtuple_row, scalar_row
from psycopg.types.json import Jsonb

DATABASE = "regress_modelreg_streaming"
TRAINER = "regress_modelreg_sender"
SERVICE = "regress_modelreg_fetcher"

PART = 1024 * 1024
ARTIFACT = os.urandom(8 * PART + 4321)
CHECKSUM = hashlib.sha256(ARTIFACT).hexdigest()

BEGIN = "SELECT modelreg_upload_begin(%s)"
APPEND = "SELECT modelreg_upload_append(%s, %b, %s)"
STATUS = "SELECT * FROM modelreg_upload_status(%s)"
REGISTER = ("SELECT * FROM modelreg_register_upload(%s, 'streaming_test',"
            " model_name => %s, performance_metrics => %s,"
            " expected_checksum => %s)")
DOWNLOAD = "SELECT modelreg_download(%s, piece_size => 300000)"


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
        connection.execute(f"CREATE ROLE {TRAINER} LOGIN IN ROLE modelreg_writer")
        connection.execute(f"CREATE ROLE {SERVICE} LOGIN IN ROLE modelreg_reader")


def tearDownModule():
    with psycopg.connect(dbname="postgres", autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        for role in (TRAINER, SERVICE):
            connection.execute(f"DROP ROLE IF EXISTS {role}")


def parts(data, start=0):
    """The data in parts, each with its offset."""
    for offset in range(start, len(data), PART):
        yield offset, data[offset:offset + PART]


def send_all(connection):
    """Between the statements of a pipeline: psycopg may begin to wait for
    results before it has sent all of a large parameter."""
    while connection.pgconn.flush():
        select.select([], [connection], [])


def begin_upload(connection, size=len(ARTIFACT)):
    return connection.execute(BEGIN, [size]).fetchone()[0]


class UploadTest(unittest.TestCase):
    def setUp(self):
        # Each test has a model of its own.
        self.model = self._testMethodName.removeprefix("test_")
        self.trainer = self.enterContext(connect(TRAINER))
        self.service = self.enterContext(connect(SERVICE))

    def finish(self, connection, upload, checksum=CHECKSUM):
        return connection.execute(REGISTER, [
            upload, self.model, Jsonb({"f1": 1}), checksum]).fetchone()

    def assertStored(self, artifact=ARTIFACT):
        """What others load is what was sent; the client compares."""
        row = self.service.execute(
            "SELECT checksum, artifact FROM modelreg_load_latest("
            "model_name => %s)", [self.model], binary=True).fetchone()
        self.assertEqual(hashlib.sha256(row.artifact).hexdigest(),
                         hashlib.sha256(artifact).hexdigest())
        self.assertEqual(row.checksum, hashlib.sha256(artifact).hexdigest())

    def test_one_transaction(self):
        with self.trainer.transaction():
            upload = begin_upload(self.trainer)
            for offset, part in parts(ARTIFACT):
                held = self.trainer.execute(
                    APPEND, [upload, part, offset]).fetchone()[0]
                self.assertEqual(held, offset + len(part))
            row = self.finish(self.trainer, upload)
            self.assertEqual(self.service.execute(
                "SELECT count(*) FROM modelreg_list(model_name => %s)",
                [self.model]).fetchone()[0], 0)
        self.assertEqual((row.artifact_size, row.checksum),
                         (len(ARTIFACT), CHECKSUM))
        self.assertStored()
        # An upload that does not come to its end leaves nothing.
        with self.trainer.transaction() as transaction:
            lost = begin_upload(self.trainer)
            self.trainer.execute(APPEND, [lost, b"x" * PART, 0])
            raise psycopg.Rollback(transaction)
        with self.assertRaises(errors.UndefinedObject):
            self.trainer.execute(STATUS, [lost])

    def test_parameters_of_any_kind(self):
        """Text and binary, prepared (the generic plan) or not, bytes-like."""
        upload = begin_upload(self.trainer, None)
        sent = b""
        for i, (parameter, kind) in enumerate(
                ((p, k) for p in ("%b", "%t", "%s")
                 for k in (bytes, bytearray, memoryview))):
            part = os.urandom(10_000 + i)
            held = self.trainer.execute(
                f"SELECT modelreg_upload_append(%s, {parameter})",
                [upload, kind(part)], prepare=i % 2 == 0).fetchone()[0]
            sent += part
            self.assertEqual(held, len(sent))
        for i in range(10):
            self.trainer.execute(APPEND, [upload, b"%d" % i, None], prepare=True)
            sent += b"%d" % i
        self.finish(self.trainer, upload, hashlib.sha256(sent).hexdigest())
        self.assertStored(sent)

    def test_pipeline_in_a_transaction(self):
        upload = begin_upload(self.trainer)
        with self.trainer.pipeline(), self.trainer.transaction():
            cursors = []
            for offset, part in parts(ARTIFACT):
                cursors.append(self.trainer.execute(
                    APPEND, [upload, part, offset]))
                send_all(self.trainer)
            last = self.trainer.execute(REGISTER, [
                upload, self.model, Jsonb({"f1": 1}), CHECKSUM])
        self.assertEqual([c.fetchone()[0] for c in cursors],
                         [offset + len(part) for offset, part in parts(ARTIFACT)])
        self.assertEqual(last.fetchone().checksum, CHECKSUM)
        self.assertStored()

    def test_pipeline_in_autocommit(self):
        upload = begin_upload(self.trainer)
        with self.trainer.pipeline() as pipeline:
            cursors = []
            for offset, part in parts(ARTIFACT):
                cursors.append(self.trainer.execute(
                    APPEND, [upload, part, offset]))
                send_all(self.trainer)
                if len(cursors) % 4 == 0:
                    pipeline.sync()    # commits
        self.assertEqual([c.fetchone()[0] for c in cursors],
                         [offset + len(part) for offset, part in parts(ARTIFACT)])
        # A transaction that fails leaves what the ones before it committed.
        with self.assertRaises(errors.InvalidParameterValue) as caught:
            with self.trainer.pipeline():
                for offset in (len(ARTIFACT) - 1, 0):
                    self.trainer.execute(APPEND, [upload, b"", offset])
        self.assertIn(str(len(ARTIFACT)), caught.exception.diag.message_hint)
        self.assertEqual(self.trainer.execute(STATUS, [upload])
                         .fetchone().bytes_held, len(ARTIFACT))
        self.finish(self.trainer, upload)
        self.assertStored()

    def test_pipeline_error(self):
        upload = begin_upload(self.trainer, None)
        self.trainer.execute(APPEND, [upload, b"kept", 0])
        with self.assertRaises(errors.InvalidParameterValue):
            with self.trainer.pipeline():
                self.trainer.execute(APPEND, [upload, b"lost", 4])
                self.trainer.execute(APPEND, [upload, b"wrong", 5])
                self.trainer.execute(APPEND, [upload, b"never", 8])
        self.assertEqual(self.trainer.execute(STATUS, [upload])
                         .fetchone().bytes_held, 4)
        self.trainer.execute(APPEND, [upload, b" and more", 4])
        self.finish(self.trainer, upload,
                    hashlib.sha256(b"kept and more").hexdigest())
        self.assertStored(b"kept and more")

    def test_resume(self):
        """A lost connection costs what was not committed."""
        upload = begin_upload(self.trainer)
        with connect(TRAINER, autocommit=False) as first:
            for offset, part in parts(ARTIFACT[:5 * PART]):
                first.execute(APPEND, [upload, part, offset])
                if offset == 2 * PART:
                    first.commit()
            first.close()
        status = self.trainer.execute(STATUS, [upload]).fetchone()
        self.assertEqual((status.bytes_held, status.expected_size, status.created_by),
                         (3 * PART, len(ARTIFACT), TRAINER))
        self.assertGreater(status.expires_at, status.last_append_at)
        with connect(TRAINER) as second:
            with self.assertRaises(errors.InvalidParameterValue):
                second.execute(APPEND, [upload, b"x", 0])
            for offset, part in parts(ARTIFACT, status.bytes_held):
                second.execute(APPEND, [upload, part, offset])
            self.finish(second, upload)
        self.assertStored()

    def test_wrong_checksum(self):
        """The upload is as it was, to be looked at or aborted."""
        upload = begin_upload(self.trainer, 4)
        self.trainer.execute(APPEND, [upload, b"good", 0])
        with self.assertRaises(errors.DataException) as caught:
            self.finish(self.trainer, upload, "0" * 64)
        self.assertEqual(caught.exception.sqlstate, "22000")
        with self.assertRaises(errors.InvalidParameterValue):
            self.trainer.execute(APPEND, [upload, b"!", 4])
        self.finish(self.trainer, upload, hashlib.sha256(b"good").hexdigest())
        self.assertStored(b"good")

    def test_variant_shares(self):
        """A tenth of one region replaced and 1,000 bytes inserted: what that adds."""
        data = os.urandom(32 * PART)
        begin, tenth = 11 * PART, len(data) // 10
        variant = b"".join([data[:begin], os.urandom(tenth), data[begin + tenth:-PART],
                            os.urandom(1000), data[-PART:]])
        stored = []
        with connect() as superuser:
            for artifact in (data, variant, variant):
                upload = begin_upload(self.trainer, len(artifact))
                with self.trainer.transaction():
                    for offset, part in parts(artifact):
                        self.trainer.execute(APPEND, [upload, part, offset])
                    self.finish(self.trainer, upload,
                                hashlib.sha256(artifact).hexdigest())
                stored.append(superuser.execute(
                    "SELECT sum(stored_size) FROM modelreg.chunk").fetchone()[0])
        self.assertLessEqual(stored[1] - stored[0], 0.15 * len(data))
        self.assertGreaterEqual(stored[1] - stored[0], 0.1 * len(data))
        self.assertEqual(stored[2], stored[1])

    def test_reader_may_not(self):
        for query, args in ((BEGIN, [None]),
                            (APPEND, [begin_upload(self.trainer), b"x", 0])):
            with self.assertRaises(errors.InsufficientPrivilege):
                self.service.execute(query, args)


class DownloadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with connect(TRAINER) as trainer:
            cls.model_id = trainer.execute(
                "SELECT model_id FROM modelreg_register(%b, 'download_test',"
                " performance_metrics => %s)",
                [ARTIFACT, Jsonb({"f1": 1})]).fetchone()[0]

    def setUp(self):
        self.service = self.enterContext(connect(SERVICE, row_factory=scalar_row))

    def assertWhole(self, pieces):
        digest = hashlib.sha256()
        sizes = []
        for piece in pieces:
            digest.update(piece)
            sizes.append(len(piece))
        self.assertEqual(digest.hexdigest(), CHECKSUM)
        self.assertEqual(sum(sizes), len(ARTIFACT))
        self.assertEqual(set(sizes[:-1]), {300000})

    def test_copy(self):
        cursor = self.service.cursor()
        with cursor.copy(f"COPY ({DOWNLOAD}) TO STDOUT (FORMAT binary)",
                         [self.model_id]) as copy:
            copy.set_types(["bytea"])
            self.assertWhole(row[0] for row in copy.rows())
        with cursor.copy(f"COPY ({DOWNLOAD}) TO STDOUT", [self.model_id]) as copy:
            copy.set_types(["bytea"])
            self.assertWhole(row[0] for row in copy.rows())

    def test_named_cursor(self):
        with self.service.transaction():
            with self.service.cursor("pieces", binary=True) as cursor:
                cursor.itersize = 2
                cursor.execute(DOWNLOAD, [self.model_id])
                self.assertWhole(cursor)

    def test_named_cursor_left(self):
        with self.service.transaction():
            with self.service.cursor("pieces", binary=True) as cursor:
                cursor.execute(DOWNLOAD, [self.model_id])
                self.assertEqual(cursor.fetchone(), ARTIFACT[:300000])
                self.assertEqual(cursor.fetchone(), ARTIFACT[300000:600000])
            # other work in between, and another download
            self.assertWhole(row for row in self.service.execute(
                DOWNLOAD, [self.model_id], binary=True))

    def test_stream(self):
        with self.service.cursor(binary=True) as cursor:
            self.assertWhole(cursor.stream(DOWNLOAD, [self.model_id]))

    def test_range(self):
        for offset, length in ((0, 1), (1, 10), (PART - 1, 2), (65_536, 300_001),
                               (len(ARTIFACT) - 5, 5), (len(ARTIFACT) - 5, 500),
                               (123_456, None), (len(ARTIFACT), None), (7, 0)):
            with self.subTest(offset=offset, length=length):
                pieces = self.service.execute(
                    "SELECT modelreg_download(%s, %s, %s)",
                    [self.model_id, offset, length], binary=True).fetchall()
                end = len(ARTIFACT) if length is None else offset + length
                self.assertEqual(b"".join(pieces), ARTIFACT[offset:end])

    def test_deleted_meanwhile(self):
        """The query's snapshot holds to the end, whatever others do."""
        with connect(TRAINER) as trainer, connect() as admin:
            model_id = trainer.execute(
                "SELECT model_id FROM modelreg_register(%b, 'deleted',"
                " performance_metrics => %s)",
                [ARTIFACT[::-1], Jsonb({"f1": 1})]).fetchone()[0]
            with self.service.transaction():
                with self.service.cursor("pieces", binary=True) as cursor:
                    cursor.itersize = 1
                    cursor.execute(DOWNLOAD, [model_id])
                    pieces = [cursor.fetchone()]
                    trainer.execute("SELECT modelreg_delete(%s)", [model_id])
                    admin.execute("CALL modelreg_cleanup()")
                    pieces += cursor
            self.assertEqual(b"".join(pieces), ARTIFACT[::-1])
            with self.assertRaises(errors.UndefinedObject):
                self.service.execute(DOWNLOAD, [model_id])


if __name__ == "__main__":
    unittest.main()
