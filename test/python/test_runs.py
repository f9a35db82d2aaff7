#!/usr/bin/env python3
"""A run of tools/with-cluster or test/run leaves nothing behind, however it ends."""

import os
import re
import signal
import subprocess
import tempfile
import time
import unittest

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SOON = 10  # seconds in which servers end when their run was killed
# Runs are to start quickly: the extension is the one that is staged, and they need no
# Python.
RUN = ["env", "MODELREG_PYTHON=/nowhere", "MODELREG_VENV=/nowhere", "tools/with-cluster"]
BUILD = [*RUN[:-1], "tools/with-build"]
# What tests may leave behind: files, and servers without what says whose they are, in
# sessions of their own, or deaf to SIGTERM.  The lines that begin with "process" have
# them and the run's own database server; tests that start another have it by NODE.
NODE = r"""
set -e
initdb -D "$TMPDIR/node" -A trust --no-sync >"$TMPDIR/initdb"
pg_ctl -D "$TMPDIR/node" -w -l "$TMPDIR/log" -o "-h '' -k $TMPDIR" start >/dev/null
echo "process $(head -n 1 "$TMPDIR/node/postmaster.pid")"
"""
LITTER = r"""
set -e
mkdir "$TMPDIR/pytest-of-somebody"
mktemp
env -i PATH="$PATH" TMPDIR="$TMPDIR" setsid sleep 1000 >/dev/null 2>&1 &
echo "process $!"
setsid sh -c 'trap "" TERM; while :; do sleep 1; done' >/dev/null 2>&1 &
echo "process $!"
echo "process $(head -n 1 "$PGHOST/../data/postmaster.pid")"
echo "all below $TMPDIR"
"""


def running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@unittest.skipUnless("MODELREG_STAGE" in os.environ, "needs tools/with-cluster")
class RunsTest(unittest.TestCase):
    def setUp(self):
        # Paths of sockets are limited, and a run would go to /tmp.
        above = tempfile.gettempdir()
        directory = tempfile.TemporaryDirectory(
            prefix="r", dir=above if len(above) < 40 else "/tmp")
        self.addCleanup(directory.cleanup)
        self.directory = os.path.realpath(directory.name)
        with open(os.path.join(self.directory, "of somebody else"), "w"):
            pass
        os.mkdir(os.path.join(self.directory, "modelreg.conf"))
        self.before = self.listing()
        self.processes = []
        self.addCleanup(self.end_processes)

    def end_processes(self):
        for pid in filter(running, self.processes):
            os.kill(pid, signal.SIGKILL)

    def listing(self):
        return sorted(os.listdir(self.directory))

    def start(self, *command):
        """Start a command; what it prints is to be read."""
        run = subprocess.Popen(
            command, cwd=TREE, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": self.directory})
        self.addCleanup(run.stdout.close)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        return run

    def read(self, run):
        """Read up to the last line of LITTER; return the run's directory."""
        printed = ""
        for line in run.stdout:
            printed += line
            if found := re.search(r"^all below (.*)/\w+$", line):
                self.assertEqual(os.path.dirname(found[1]), self.directory, printed)
                self.processes = list(map(int, re.findall(r"^process (\d+)$", printed, re.MULTILINE)))
                self.assertGreaterEqual(len(self.processes), 3, printed)
                self.assertEqual(list(filter(running, self.processes)), self.processes, printed)
                return found[1]
        return self.fail(printed)

    def litter(self, *command):
        """Start a run that does not end by itself; return it, its process and its directory."""
        run = self.start(*command)
        below = self.read(run)
        main = int(os.path.basename(below).split(".")[1])
        self.assertTrue(running(main))
        self.addCleanup(lambda: running(main) and os.kill(main, signal.SIGKILL))
        self.assertEqual(oct(os.stat(below).st_mode & 0o777), "0o700")
        return run, main, below

    def wait_for_the_end(self, main):
        """Of the servers soon, and then of the run and its directory."""
        start = time.monotonic()
        while left := list(filter(running, self.processes)):
            if time.monotonic() > start + SOON:
                commands = subprocess.run(
                    ["tail", "-v", "-c", "300", *(f"/proc/{pid}/cmdline" for pid in left)],
                    text=True, stdout=subprocess.PIPE).stdout
                self.fail(f"left after {SOON} seconds: {left}\n{commands}")
            time.sleep(0.1)
        while running(main) or any(re.match(r"modelreg\.\d", name) for name in self.listing()):
            self.assertLess(time.monotonic(), start + 60)
            time.sleep(0.1)
        left = [name for name in self.listing() if not name.startswith("modelreg-out.")]
        self.assertEqual(left, self.before)

    def test_green(self):
        run = self.start(*RUN, "bash", "-c", LITTER)
        self.read(run)
        run.stdout.read()
        self.assertEqual(run.wait(), 0)
        self.assertEqual(self.listing(), self.before)
        self.assertEqual(list(filter(running, self.processes)), [])

    def test_red(self):
        """The logs alone are kept."""
        run = self.start(*RUN, "bash", "-c", LITTER + "\nexit 3")
        self.read(run)
        run.stdout.read()
        self.assertEqual(run.wait(), 3)
        left = [name for name in self.listing() if name not in self.before]
        self.assertRegex(" ".join(left), r"^modelreg-out\.\w+$")
        self.assertEqual(os.listdir(os.path.join(self.directory, *left)), ["postgresql.log"])
        self.assertEqual(list(filter(running, self.processes)), [])

    def test_killed(self):
        run, main, _ = self.litter(*RUN, "bash", "-c", NODE + LITTER + "\nsleep 1000")
        self.assertEqual(len(self.processes), 4)
        os.kill(main, signal.SIGKILL)
        self.wait_for_the_end(main)

    def test_make_ended(self):
        program = os.path.join(self.directory, "program")
        with open(program, "w") as file:
            file.write(LITTER + "\nsleep 1000\n")
        self.before = self.listing()
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=number):
                run, main, _ = self.litter(
                    "make", "test", f"TEST_RUN={' '.join(RUN)} bash {program}")
                self.assertNotEqual(main, run.pid)
                run.send_signal(number)
                self.wait_for_the_end(main)

    def test_suites_ended(self):
        """The jobs of test/run end with it, be they printed now or later."""
        program = os.path.join(self.directory, "program")
        with open(program, "w") as file:
            file.write(f"#!/bin/bash\n{LITTER}\nsleep 1000\n")
        os.chmod(program, 0o755)
        self.before = self.listing()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=number):
                run, main, below = self.litter(
                    *BUILD, "bash", "-c", f"cp {program} test/docs_examples_sleep.sh;"
                    f"echo 'import os; os.system(\"{program}\")' >test/python/test_sleep.py;"
                    " TESTS='docs_examples_sleep test_sleep' MODELREG_JOBS=2 exec test/run")
                run.send_signal(number)
                self.wait_for_the_end(main)

    def test_failed_suite(self):
        """The others run, and its logs alone are kept."""
        run = self.start(
            *BUILD, "bash", "-c", "echo >>expected/semver.out; SUITES='regress isolation'"
            " TESTS='semver concurrent_plain' exec test/run")
        printed = run.stdout.read()
        self.assertEqual(run.wait(), 1, printed)
        self.assertRegex(printed, r"(?m)^regress +0 +1 +\d+ *$")
        self.assertRegex(printed, r"(?m)^isolation +1 +0 +\d+ *$")
        self.assertIn("\nleft out: lint pgtap python client docs tap\n", printed)
        self.assertTrue(printed.endswith("\n1 passed, 1 failed\n"), printed)
        (left,) = [name for name in self.listing() if name not in self.before]
        self.assertEqual(os.listdir(os.path.join(self.directory, left)), ["regress"])
        self.assertIn("regression.diffs", os.listdir(os.path.join(self.directory, left, "regress")))

    def test_what_dead_runs_left(self):
        """The keeper was killed as well: the next run does its work."""
        run, main, below = self.litter(*RUN, "bash", "-c", LITTER + "\nsleep 1000")
        keepers = subprocess.run(
            ["grep", "-lzF", "keep_run \"$@\"", *(
                f"/proc/{pid}/cmdline" for pid in filter(str.isdigit, os.listdir("/proc")))],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.split()
        self.assertNotEqual(keepers, [])
        for keeper in keepers:
            with open(f"{os.path.dirname(keeper)}/cmdline") as arguments:
                if below in arguments.read().split("\0"):
                    os.kill(int(keeper.split("/")[2]), signal.SIGKILL)
        os.kill(main, signal.SIGKILL)
        run.wait()

        # The numbers of processes are used again, here ours; and a run is not
        # dead because its process has another number in its container than here.
        again = os.path.join(self.directory, f"modelreg.{os.getpid()}.1")
        container = os.path.join(self.directory, "modelreg.4194305.1")
        logs = os.path.join(self.directory, "modelreg-out.old")
        fresh = os.path.join(self.directory, "modelreg-out.new")
        for name in (again, container, logs, fresh):
            os.mkdir(name)
            with open(os.path.join(name, "alive"), "w"):
                pass
        past = time.time() - 100
        for name in (below, again):
            os.utime(os.path.join(name, "alive"), (past, past))
        os.utime(logs, (past - 8 * 86400, past - 8 * 86400))

        second = self.start(*RUN, "true")
        printed = second.stdout.read()
        self.assertEqual(second.wait(), 0, printed)
        self.assertEqual(list(filter(running, self.processes)), [])
        left = [name for name in self.listing() if name not in self.before]
        self.assertIn("modelreg-out.new", left)
        left.remove("modelreg-out.new")
        # the logs of the first
        self.assertRegex(" ".join(left), r"^modelreg-out\.\w+ modelreg\.4194305\.1$")

    def test_place(self):
        """Sockets below a long TMPDIR would have too long a path, and it must be writable."""
        long, closed = (os.path.join(self.directory, name) for name in ("d" * 60, "closed"))
        os.mkdir(long)
        os.mkdir(closed, 0o500)
        for directory, place in ((self.directory, self.directory), (long, "/tmp"),
                                 (closed, "/tmp"), ("/nowhere", "/tmp")):
            printed = subprocess.run(
                ["bash", "-c", '. tools/lib.sh; runs_base "$(id -un)"'], cwd=TREE, text=True,
                check=True, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": directory}).stdout
            self.assertEqual(printed, f"{place}\n")


if __name__ == "__main__":
    unittest.main()
