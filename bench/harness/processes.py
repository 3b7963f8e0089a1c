"""processes.py - starting processes on cores of their own, and ending them."""

import ctypes
import os
import signal
import socket
import subprocess
import time

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class Failed(Exception):
    """What was to be measured cannot be; the text says why."""


CORES = sorted(os.sched_getaffinity(0))


def server_cores(threads):
    return CORES[:threads]


def load_cores(threads):
    """Behind those of the server; the last one is shared with it where there are not enough."""
    return [CORES[min(threads, len(CORES) - 1)]]


def start(command, cores, **options):
    """Starts a process that has these cores, and does not outlive this one."""

    def prepare():
        os.sched_setaffinity(0, cores)
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return subprocess.Popen(command, preexec_fn=prepare, **options)


def end(process, patience=5):
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Crowd:
    """A process that keeps these cores busy for the length of the with block, so that others on them get a part of their time."""

    def __init__(self, cores):
        self.cores = cores

    def __enter__(self):
        self.process = start(["sh", "-c", "while :; do :; done"], self.cores)

    def __exit__(self, *_):
        end(self.process)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until_listening(process, port, patience=20):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Failed("it did not start")
