"""chance.py - the kernel breaks a share of the calls, or of the orders: what must come of it, whichever they are."""

import time

from broken import Broken
from faults import served, undisturbed
from herd import Herd
from memory import USES, settled
from program import SANITIZED, Program, slack, until
from suite import at_once
from wire import Gone

HONEST = slack(20)
# What may be kept: OpenSSL's last 16 errors of each of two threads, with three strings each; sessions of TLS.
KEPT = 2 * 16 * 3


def use_all(program, uses):
    context = program.tls_context()
    at_once(uses, lambda n: USES[n % len(USES)](program.port, context, HONEST))


def blocks_at_rest(program, broken):
    until(lambda: program.get("/metrics").find('state="open"} 0') > 0, slack(5), "all gone")
    time.sleep(0.2)
    return broken.blocks()


def prepared(at_start):
    """(place, error): always, from before it starts."""
    broken = Broken()
    for place, error in at_start:
        broken.fail(place, 1, error)
    return broken


def all_served(backend, breaks, tls=None, uses=100, often=5, at_start=()):
    """What the kernel may do at any time makes no difference to anyone, and no block is lost by it."""
    broken = prepared(at_start)
    environment = broken.environment(SWALE_BACKEND=backend)
    with Program("--deflate", "--threads", "2", tls=tls, environment=environment) as program:
        use_all(program, 3 * len(USES))
        blocks = blocks_at_rest(program, broken)
        with undisturbed(program):
            for place, share, error in breaks:
                broken.fail(place, share, error)
            use_all(program, uses)
            broken.mend()
            times = [broken.failed(place) for place, _, _ in breaks]
            assert all(count > often for count in times), f"so often it happened: {times}"
        if not SANITIZED:  # which looks for leaks by itself
            settled(broken, blocks, KEPT)
    return f"{uses} uses, none failed; it happened {sum(times)} times"


def some_lost(backend, place, share, error, seconds=1, at_start=()):
    """Some are lost or wait, nothing else: the clients that come back are all there in the end."""
    broken = prepared(at_start)
    with Program(environment=broken.environment(SWALE_BACKEND=backend)) as program, undisturbed(program):
        broken.spare_those_of(program)
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
