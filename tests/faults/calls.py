"""calls.py - the kernel does what it may do: it interrupts, takes or gives less, has nothing yet, loses a connection that
waited, has no room; and the wall clock jumps. The calls are those of the epoll backend."""

import errno
import time

from broken import ACCEPT, EPOLL_ADD, EPOLL_WAIT, RECEIVE, SEND, Broken
from faults import Faults, served, undisturbed
from herd import Herd
from memory import USES
from program import Certificate, Program, slack
from suite import at_once
from wire import Gone, opened

FAULTS = Faults()
HONEST = slack(20)


def on_epoll(broken):
    return {**broken.environment(), "SWALE_BACKEND": "epoll"}


def all_served(breaks, tls=None, uses=100):
    """What the kernel may do at any time makes no difference to anyone."""
    broken = Broken()
    with Program("--deflate", tls=tls, environment=on_epoll(broken)) as program, undisturbed(program):
        context = program.tls_context()
        for place, share, error in breaks:
            broken.fail(place, share, error)
        at_once(uses, lambda n: USES[n % len(USES)](program.port, context, HONEST))
        broken.mend()
        times = [broken.failed(place) for place, _, _ in breaks]
        assert all(count > 5 for count in times), f"so often it happened: {times}"
    return f"{uses} uses, none failed; it happened {sum(times)} times"


def row(name, *breaks, **options):
    FAULTS.fault(name)(lambda: all_served(breaks, **options))


row("interrupted", (RECEIVE, 0.3, errno.EINTR), (SEND, 0.3, errno.EINTR), (EPOLL_WAIT, 0.3, errno.EINTR))
row("nothing-yet", (RECEIVE, 0.5, errno.EAGAIN), (SEND, 0.5, errno.EAGAIN))
row("a-byte-at-a-time", (RECEIVE, 0.2, 0), (SEND, 0.2, 0), (EPOLL_WAIT, 0.5, 0))
row("accept-again", (ACCEPT, 0.3, errno.EINTR))


@FAULTS.fault("all-of-it-tls")
def all_of_it_tls():
    breaks = [(RECEIVE, 0.2, 0), (SEND, 0.2, 0), (EPOLL_WAIT, 0.2, errno.EINTR)]
    return all_served(breaks, Certificate(), 40)


def some_lost(place, share, error, seconds=2):
    """Some are lost or wait, nothing else: the clients that come back are all there in the end."""
    broken = Broken()
    with Program(environment=on_epoll(broken)) as program, undisturbed(program):
        with Herd(f"ws://localhost:{program.port}/echo", 100) as herd:
            broken.fail(place, share, error)
            end, lost = time.monotonic() + seconds, 0
            while time.monotonic() < end:
                try:
                    served(program)
                except (OSError, Gone, AssertionError):
                    lost += 1
            broken.mend()
            herd.until_whole(20)
            figures = herd.figures()
            assert figures["wrong"] == figures["lost"] == 0, figures
        assert broken.failed(place) > 3, "it has not happened"
    return f"it happened {broken.failed(place)} times, {lost} connections were lost"


for call, where, kinds in (
    ("accept", ACCEPT, ("ECONNABORTED", "ENOBUFS", "ENFILE", "EPROTO", "EPERM")),
    ("epoll", EPOLL_ADD, ("ENOSPC", "ENOMEM")),
):
    for kind in kinds:
        FAULTS.fault(f"{call}-{kind}")(
            lambda where=where, kind=kind: some_lost(where, 0.3, getattr(errno, kind), 1)
        )


@FAULTS.fault("clock")
def clock():
    """Deadlines go by a clock that only goes forward: nobody is cut, nobody is let off."""
    broken = Broken()
    options = ("--ping", "500ms", "--gone", "1s", "--handshake-timeout", "2s")
    with Program(*options, environment=on_epoll(broken)) as program, undisturbed(program):
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
