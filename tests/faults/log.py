"""log.py - the log cannot be written: the disk is full, the reader is gone or does not read. The server goes on, and
counts what was lost."""

import os
import re
import resource
import subprocess
import tempfile
import time

from faults import Faults, undisturbed
from program import Program, slack, until
from wire import Peer, closing, get, opened

FAULTS = Faults()
ROUNDS = 300


def dropped(program):
    return float(re.search(r"^swale_log_lines_dropped_total (.*)$", program.get("/metrics"), re.M)[1])


def settled(program):
    """How many, once all lines have been tried."""
    before = -1
    while (now := dropped(program)) > before + 1:  # the question has a line of its own
        before = now
        time.sleep(0.1)
    return now


def make_lines(program, rounds=ROUNDS):
    """A line for each opening, and one for each close."""
    for _ in range(rounds):
        with opened(program.port) as peer:
            peer.send(closing(1000, b"r" * 100))
            assert peer.ended(answer=False) == 1000


@FAULTS.fault("full-device")
def full_device():
    with open("/dev/full", "wb") as full, Program(errors=full) as program, undisturbed(program):
        make_lines(program)
        until(lambda: dropped(program) >= 2 * ROUNDS, slack(5), "every line counted")
        return f"{dropped(program):.0f} lines dropped and counted"


def mounting(directory):
    """The command that runs another in a name space with a file system of 64 KiB at that directory, None where the
    machine does not allow it."""
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    command = [*unshare, "sh", "-c", f'mount -t tmpfs -o size=64k none {directory} && exec "$@" 2>>{directory}/log', "sh"]
    tried = subprocess.run([*command, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return command if tried.returncode == 0 else None


@FAULTS.fault("full-disk")
def full_disk():
    """ENOSPC in the middle of a line; and when there is room again, lines go on."""
    with tempfile.TemporaryDirectory(prefix="swale-log-") as directory:
        around = mounting(directory)
        if not around:
            return "left out: this machine lets nobody mount a file system"
        with Program(around=around) as program, undisturbed(program):
            log = f"/proc/{program.pid}/root{directory}/log"
            make_lines(program)
            until(lambda: dropped(program) > 0, slack(5), "lines dropped")
            assert os.path.getsize(log) == 65536, f"{os.path.getsize(log)} bytes of 64 KiB"
            lost = settled(program)
            os.truncate(log, 0)
            make_lines(program, 10)
            until(lambda: os.path.getsize(log) > 2000, slack(5), "lines again")
            assert dropped(program) <= lost + 1, "lost with room"
            return f"{lost:.0f} lines dropped and counted"


@FAULTS.fault("size-limit")
def size_limit():
    """ulimit -f: EFBIG, and a signal that would end it."""
    with tempfile.TemporaryDirectory(prefix="swale-log-") as directory:
        path = os.path.join(directory, "log")
        with open(path, "ab") as log, Program(errors=log) as program, undisturbed(program):
            resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (8192, 8192))
            make_lines(program)
            until(lambda: dropped(program) > 0, slack(5), "lines dropped")
            assert os.path.getsize(path) <= 8192


@FAULTS.fault("reader-gone")
def reader_gone():
    """EPIPE."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe, Program(errors=pipe) as program, undisturbed(program):
        os.close(reading)
        make_lines(program)
        until(lambda: dropped(program) >= 2 * ROUNDS, slack(5), "every line counted")


@FAULTS.fault("reader-asleep")
def reader_asleep():
    """A full pipe must hold up neither the connections nor the end."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb") as pipe, Program(errors=pipe) as program:
        with undisturbed(program):
            with Peer(program.port, patience=slack(10)) as peer:  # 64 KiB of pipe and 512 KiB of buffers
                for _ in range(60):
                    peer.send(get(more=["User-Agent: " + "y" * 250]) * 50)
                    assert all(peer.answer() == 200 for _ in range(50))
            until(lambda: dropped(program) > 0, slack(5), "lines dropped")
            make_lines(program, 20)
        return f"{dropped(program):.0f} lines dropped and counted"
