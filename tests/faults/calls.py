"""calls.py - the kernel does what it may do: it interrupts, takes or gives less, has nothing yet, loses a connection that
waited, has no room; and the wall clock jumps. The calls are those of the epoll backend."""

import errno
import time

from broken import ACCEPT, EPOLL_ADD, EPOLL_WAIT, RECEIVE, SEND, Broken
from chance import all_served, some_lost
from faults import Faults, served, undisturbed
from herd import Herd
from program import Certificate, Program, slack
from wire import opened

FAULTS = Faults()
BACKEND = "epoll"


def row(name, *breaks):
    FAULTS.fault(name)(lambda: all_served(BACKEND, breaks))


row("interrupted", (RECEIVE, 0.3, errno.EINTR), (SEND, 0.3, errno.EINTR), (EPOLL_WAIT, 0.3, errno.EINTR))
row("nothing-yet", (RECEIVE, 0.5, errno.EAGAIN), (SEND, 0.5, errno.EAGAIN))
row("a-byte-at-a-time", (RECEIVE, 0.2, 0), (SEND, 0.2, 0), (EPOLL_WAIT, 0.5, 0))
row("accept-again", (ACCEPT, 0.3, errno.EINTR))


@FAULTS.fault("all-of-it-tls")
def all_of_it_tls():
    breaks = [(RECEIVE, 0.2, 0), (SEND, 0.2, 0), (EPOLL_WAIT, 0.2, errno.EINTR)]
    return all_served(BACKEND, breaks, Certificate(), 40)


for call, where, kinds in (
    ("accept", ACCEPT, ("ECONNABORTED", "ENOBUFS", "ENFILE", "EPROTO", "EPERM")),
    ("epoll", EPOLL_ADD, ("ENOSPC", "ENOMEM")),
):
    for kind in kinds:
        FAULTS.fault(f"{call}-{kind}")(
            lambda where=where, kind=kind: some_lost(BACKEND, where, 0.3, getattr(errno, kind))
        )


@FAULTS.fault("clock")
def clock():
    """Deadlines go by a clock that only goes forward: nobody is cut, nobody is let off."""
    broken = Broken()
    options = ("--ping", "500ms", "--gone", "1s", "--handshake-timeout", "2s")
    with Program(*options, environment=broken.environment(SWALE_BACKEND=BACKEND)) as program, undisturbed(program):
        with Herd(f"ws://localhost:{program.port}/echo", 50) as herd:
            herd.until_whole(10)
            for years in (0, 1, -1, 40, -40):
                broken.shift_clock(years * 366 * 86400)
                served(program)
                time.sleep(0.3)
            figures = herd.figures()
            assert figures["openings"] == figures["open"] == 50, f"some were cut: {figures}"
        broken.shift_clock(-86400)
        with opened(program.port) as silent:
            silent.until_end(slack(5))
        assert program.counted("heartbeat") == 1
        assert len({line[:4] for line in program.log if line[:1].isdigit()}) >= 3, "the log has no notion of it"
