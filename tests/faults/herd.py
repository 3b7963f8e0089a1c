"""herd.py - clients of the library that come back (herd.c)."""

import os
import subprocess
import time

from program import slack


class Herd:
    def __init__(self, url, count, tls=None):
        self.count = count
        self.process = subprocess.Popen(
            [os.environ["SWALE_HERD"], url, str(count), tls.certificate if tls else "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    @staticmethod
    def _read(line):
        return dict(zip(("open", "openings", "echoes", "wrong", "lost"), map(int, line.split())))

    def figures(self):
        self.process.stdin.write("?")
        self.process.stdin.flush()
        return self._read(self.process.stdout.readline())

    def until_whole(self, seconds):
        end = time.monotonic() + slack(seconds)
        while (figures := self.figures())["open"] < self.count:
            assert time.monotonic() < end, f"not all of {self.count} clients are open after {seconds} s: {figures}"
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        try:
            if failure:
                return
            said, _ = self.process.communicate(timeout=slack(30))
            last = self._read(said.splitlines()[-1])
            assert self.process.returncode == 0 and last["wrong"] == 0, f"{self.process.returncode}: {last}"
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
