#!/usr/bin/env python3
"""The benchmark works and prints every figure; the times are not looked at.

Needs the server that tools/with-cluster starts.
"""

import os
import subprocess
import sys
import unittest

BENCH = os.path.join(os.path.dirname(__file__), "..", "..", "bench", "bench.py")
FIGURES = ["stream in", "stream in again", "stream out, verified",
           "WAL of streaming again", "growth by a variant", "memory, 0.0156 GB in",
           "register 1 MB", "load 1 MB, verified", "register 1 KB, 10 versions",
           "register 1 KB, 400 versions", "register 10 KB, 16 clients",
           "find latest by type and stage", "list page of 100",
           "compare 10 versions"]


class BenchTest(unittest.TestCase):
    def test_quick(self):
        result = subprocess.run(
            [sys.executable, BENCH, "--quick"], text=True, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(result.returncode, 0, result.stdout)
        lines = result.stdout.splitlines()
        for figure in FIGURES:
            self.assertTrue(
                any(line.startswith(figure + "  ") and ("yes" in line or "NO" in line)
                    for line in lines), f"{figure} is not in:\n{result.stdout}")


if __name__ == "__main__":
    unittest.main()
