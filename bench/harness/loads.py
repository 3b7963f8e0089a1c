"""loads.py - the load generators.

`load` (bench/load/) is the lean one: one thread, raw frames, every answer compared. `swale bench` is the program's own, and
measured itself.
"""

import json
import select
import subprocess

from .accounts import Account
from .processes import Failed, end, load_cores, start

PATIENCE = 120  # seconds in which a load must be ready, 15,000 connections over TLS included


class Load:
    """A `load` process that is warm, and waits to be let run."""

    def __init__(self, build, arguments, threads=1):
        self.process = start(
            [f"{build}/bench/load", *map(str, arguments)],
            load_cores(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        try:
            self.line(PATIENCE)
        except Failed:
            end(self.process)
            raise
        return self

    def line(self, patience):
        ready, _, _ = select.select([self.process.stdout], [], [], patience)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise Failed(self.excuse() if ready else "no answer in time")
        return line

    def excuse(self):
        self.process.wait()
        return self.process.stderr.read().strip() or f"the load generator ended with {self.process.returncode}"

    def run(self, seconds):
        """Runs, and returns what was done."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.line(seconds + PATIENCE))

    def account(self):
        return Account(self.process.pid)

    def __exit__(self, *_):
        """It checks at its end, too, what it can know only then."""
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                end(self.process)
        failed = self.process.returncode != 0
        text = self.process.stderr.read().strip()
        self.process.stdout.close()
        self.process.stderr.close()
        if failed and text:
            raise Failed(text)


def swale_bench(build, url, *arguments):
    """Runs `swale bench` to its end, and returns its results."""
    process = start(
        [f"{build}/swale", "bench", "--json", *map(str, arguments), url],
        load_cores(1),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, errors = process.communicate(timeout=10 * PATIENCE)
    except subprocess.TimeoutExpired:
        end(process)
        raise Failed("swale bench did not end") from None
    if process.returncode != 0:
        raise Failed(errors.strip() or "swale bench failed")
    return json.loads(out)
