"""ring.py - io_uring does what it may do: orders end before they are done, sends are short, buffers run out, answers
overflow, a system call is interrupted or finds no memory; and connections that wait or live are lost."""

import errno
import os
import subprocess

from broken import (
    EVENTFD,
    RING_ACCEPT,
    RING_ENTER,
    RING_POLL,
    RING_RECEIVE,
    RING_REGISTER,
    RING_SEND,
    RING_SETUP,
    Broken,
)
from chance import all_served, some_lost
from faults import Faults, served, undisturbed
from program import Certificate, Program, slack, until

BACKEND = "io_uring"


def starts(environment=None, *options):
    """Where it listens, as if it were to stop there; what it said, and how it ended."""
    command = [os.environ["SWALE_PROGRAM"], "serve", "--listen", "127.0.0.1:0", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(environment or {})}, text=True
    )
    listens = process.stdout.readline().startswith("swale: listening")
    process.terminate()
    _, said = process.communicate(timeout=slack(10))
    return listens, process.returncode, said


FAULTS = Faults(lacks=lambda: None if starts({}, "--backend", BACKEND)[0] else BACKEND)


# ---- At the start

def fallen_back(place, error):
    """Nobody has asked for io_uring by name: it serves with epoll, and says so once."""
    broken = Broken()
    broken.fail(place, 1, error)
    environment = broken.environment(SWALE_BACKEND="")
    with Program("--threads", "2", environment=environment) as program, undisturbed(program):
        served(program)
        until(lambda: " backend " in program.text(), slack(5), "a line")
        lines = [line for line in program.log if " backend " in line]
        assert len(lines) == 1 and "epoll" in lines[0], lines
    if error:
        listens, status, said = starts(environment, "--backend", BACKEND)
        assert not listens and status == 1 and len(said.splitlines()) == 1, f"asked for by name: {status}, {said!r}"
    return lines[0].split(" backend ")[1].strip()


for where, what, kinds in (
    ("setup", RING_SETUP, ("EPERM", "ENOSYS", "EINVAL", "ENOMEM", "EMFILE", "ENFILE")),
    ("buffers", RING_REGISTER, ("EINVAL", "ENOMEM", "EOPNOTSUPP")),
    ("old-kernel", RING_REGISTER, ("",)),
):
    for kind in kinds:
        FAULTS.fault(f"{where}-refused-{kind}" if kind else where)(
            lambda what=what, kind=kind: fallen_back(what, getattr(errno, kind) if kind else 0)
        )


@FAULTS.fault("no-eventfd")
def no_eventfd():
    """Neither backend can do without: it ends and says so."""
    broken = Broken()
    broken.fail(EVENTFD, 1, errno.EMFILE)
    for backend in ("auto", BACKEND, "epoll"):
        listens, status, said = starts(broken.environment(), "--backend", backend)
        assert not listens and status == 1 and len(said.splitlines()) == 1, f"{backend}: {status}, {said!r}"
        assert "too many open files" in said, said


# ---- Nobody notices

SMALLEST = [(RING_SETUP, 0)]
NONE_STANDS = [(RING_ACCEPT, 0), (RING_POLL, 0)]
ORDERS = (RING_RECEIVE, RING_ACCEPT, RING_POLL)


def row(name, *breaks, **options):
    FAULTS.fault(name)(lambda: all_served(BACKEND, breaks, **options))


for kind in ("EINTR", "EAGAIN", "EBUSY"):
    row(f"enter-{kind}", (RING_ENTER, 0.3, getattr(errno, kind)))
row("orders-end-early", *((place, 1, 0) for place in ORDERS), at_start=NONE_STANDS)
row("orders-cancelled", *((place, 0.5, errno.ECANCELED) for place in ORDERS), at_start=NONE_STANDS)
row("buffers-run-out", (RING_RECEIVE, 0.7, errno.ENOBUFS))
row("no-memory-to-poll", (RING_POLL, 0.5, errno.ENOMEM), at_start=NONE_STANDS)
for name, kind in (("interrupted", errno.EINTR), ("nothing-yet", errno.EAGAIN)):
    places = (RING_RECEIVE, RING_SEND, RING_ACCEPT)
    row(name, *((place, 0.3, kind) for place in places), at_start=NONE_STANDS)
row("a-byte-at-a-time", (RING_SEND, 0.3, 0))
row("answers-overflow", (RING_SEND, 0.5, 0), at_start=SMALLEST)
row("answers-overflow-and-enter-fails", (RING_SEND, 0.3, 0), (RING_ENTER, 0.3, errno.EAGAIN), at_start=SMALLEST)
row("whole-buffers", (RING_RECEIVE, 0.3, errno.ENOBUFS), (RING_SEND, 0.3, 0), at_start=[(RING_REGISTER, 0)])


@FAULTS.fault("all-of-it-tls")
def all_of_it_tls():
    breaks = [(RING_RECEIVE, 0.3, errno.ENOBUFS), (RING_SEND, 0.3, 0), (RING_ENTER, 0.2, errno.EINTR)]
    return all_served(BACKEND, breaks, Certificate(), 40)


# ---- Somebody is lost

for what, where, kinds in (
    ("accept", RING_ACCEPT, ("ECONNABORTED", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EPROTO", "EPERM")),
    ("receive", RING_RECEIVE, ("ECONNRESET", "ETIMEDOUT", "ENOMEM")),
    ("send", RING_SEND, ("ECONNRESET", "EPIPE", "ENOMEM", "ENOBUFS")),
):
    for kind in kinds:
        FAULTS.fault(f"{what}-{kind}")(
            lambda where=where, kind=kind: some_lost(
                BACKEND, where, 0.3, getattr(errno, kind), at_start=NONE_STANDS
            )
        )
