"""accounts.py - what the kernel tells about a process and its children."""

import ctypes
import glob
import time

_libc = ctypes.CDLL(None)


def family(pid):
    """The process and all that descend from it."""
    pids, at = [pid], 0
    while at < len(pids):
        for path in glob.glob(f"/proc/{pids[at]}/task/*/children"):
            try:
                with open(path) as f:
                    pids += map(int, f.read().split())
            except OSError:
                pass  # a thread that has just ended
        at += 1
    return pids


def _cpu_seconds(pid):
    """By the clock of the process: to the nanosecond, with the threads that have ended."""
    clock = ctypes.c_int()
    if _libc.clock_getcpuclockid(pid, ctypes.byref(clock)) != 0:
        return 0.0
    return time.clock_gettime(clock.value)


def _waited_seconds(pid):
    """How long its threads could have run, and others had the core."""
    waited = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try:
            with open(path) as f:
                waited += int(f.read().split()[1])
        except OSError:
            pass
    return waited / 1e9


class Account:
    """The state of a process's accounts at one time; the difference of two tells what happened between them."""

    def __init__(self, pid):
        pids = family(pid)
        self.time = time.monotonic()
        self.cpu = sum(map(_cpu_seconds, pids))
        self.waited = sum(map(_waited_seconds, pids))

    def cpu_since(self, before):
        return self.cpu - before.cpu

    def busy_since(self, before, threads):
        """The part of the time in which it was let run that it ran."""
        cpu = self.cpu_since(before)
        free = (self.time - before.time) * threads - (self.waited - before.waited)
        return cpu / max(cpu, free, 1e-9)


def private_bytes(pid):
    """Memory that it has written to. What it has only read of programs and libraries does not count: whether that is its own
    depends on what else runs."""
    total = 0
    for member in family(pid):
        with open(f"/proc/{member}/smaps_rollup") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("Private_Dirty:"))
    return total * 1024
