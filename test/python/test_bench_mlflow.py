#!/usr/bin/env python3
"""The benchmark against MLflow works and prints every figure; the times are not looked at.

Needs the server that tools/with-cluster starts, MLflow, and the Python client.
"""

import os
import subprocess
import sys
import unittest

BENCH = os.path.join(os.path.dirname(__file__), "..", "..", "bench", "against_mlflow.py")
CONTENDERS = ["MLflow, server", "MLflow, in process", "on modelreg, server",
              "on modelreg, in process", "direct"]
EVERYBODY = [("create version", "5 versions"), ("create version", "20 versions"),
             ("resolve alias", "20 versions"), ("get latest", "20 versions"),
             ("search, page of 100", "20 versions"), ("search by tag", "20 versions")]
WITH_TARGETS = [("create version", "20 versions"), ("upload", "2 MB"), ("download", "2 MB"),
                ("create, many versions / few", "20 / 5")]


class BenchTest(unittest.TestCase):
    def test_quick(self):
        result = subprocess.run(
            [sys.executable, BENCH, "--quick"], text=True, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(result.returncode, 0, result.stdout)
        rows = [[cell.strip() for cell in line.split(" | ")]
                for line in result.stdout.splitlines() if " | " in line]
        self.assertEqual(rows[0][2:7], CONTENDERS, result.stdout)
        table = {(row[0], row[1]): row[2:] for row in rows[1:]}
        for line in EVERYBODY:
            self.assertTrue(all(table[line][:5]), f"{line} is not complete in:\n{result.stdout}")
        for line in WITH_TARGETS:
            self.assertRegex(table[line][-1], "^(yes|NO)", result.stdout)


if __name__ == "__main__":
    unittest.main()
