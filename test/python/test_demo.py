#!/usr/bin/env python3
"""The demo runs to its end, and fails if the registry does not do what it should.

Needs the server that tools/with-cluster starts.
"""

import os
import subprocess
import sys
import time
import unittest

import psycopg

DEMO = os.path.join(os.path.dirname(__file__), "..", "..", "demo", "demo.py")
SELF_TESTS = ["initialization", "registration", "listing", "load latest",
              "comparison", "update stage"]


def run_demo(**environment):
    return subprocess.run(
        [sys.executable, DEMO], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env={**os.environ, **environment},
        timeout=300)


class DemoTest(unittest.TestCase):
    def setUp(self):
        with psycopg.connect(autocommit=True) as connection:
            self.before = self.what_is_there(connection)

    def tearDown(self):
        with psycopg.connect(autocommit=True) as connection:
            self.assertEqual(self.what_is_there(connection), self.before)

    def what_is_there(self, connection):
        return connection.execute(
            "SELECT datname FROM pg_database UNION ALL"
            " SELECT rolname FROM pg_roles WHERE rolname LIKE 'demo%' ORDER BY 1"
        ).fetchall()

    def test_demo(self):
        start = time.monotonic()
        result = run_demo()
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertLess(time.monotonic() - start, 120)
        self.assertIn("steps did what they should", result.stdout)
        for number, name in enumerate(SELF_TESTS, 1):
            self.assertIn(f"(self-test {number}: {name})", result.stdout)

    def test_failing_step(self):
        """A server that does not verify what it loads is found out."""
        result = run_demo(PGOPTIONS="-c modelreg.verify_checksums=off")
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn("this was not refused: SELECT modelreg_load(",
                      result.stdout)


if __name__ == "__main__":
    unittest.main()
