"""drain.py - SIGTERM with ten thousand connections: each hears 1001 and none is cut, within the time to drain."""

import signal
import time

from crowd import Elsewhere
from faults import Faults
from program import SANITIZED, Program, slack
from wire import opened

FAULTS = Faults()
COUNT = 2000 if SANITIZED else 10_000
PROCESSES = 4
DRAIN = 10  # seconds


def come_and_stay(crowd, tell, told, count, talkers, mutes):
    crowd.join(count - talkers - mutes, patience=slack(60))
    crowd.join(mutes, mute=True, patience=slack(60))
    crowd.join(talkers, talks=True, patience=slack(60))
    tell(crowd.opened)
    while not told(0):
        crowd.step(0.1)
    crowd.until_gone(slack(2 * DRAIN))
    tell((dict(crowd.ends), len(crowd.members), crowd.echoes, crowd.last_end))


class Crowds:
    """The same in several processes, from addresses of their own."""

    def __init__(self, port, count, talkers, mutes=0):
        share = [amount // PROCESSES for amount in (count, talkers, mutes)]
        self.parts = [Elsewhere(self._act(*share), port, 10 + n) for n in range(PROCESSES)]
        opened_in_all = sum(part.hear(slack(60)) for part in self.parts)
        assert opened_in_all == share[0] * PROCESSES

    @staticmethod
    def _act(*share):
        return lambda crowd, tell, told: come_and_stay(crowd, tell, told, *share)

    def ends(self):
        """How they ended; how many have not; the echoes that they had; and when the last one ended."""
        for part in self.parts:
            part.ask()
        ends, left, echoes, last = {}, 0, 0, 0.0
        for part in self.parts:
            some, staying, heard, at = part.hear(slack(2 * DRAIN + 10))
            for end, count in some.items():
                ends[end] = ends.get(end, 0) + count
            left, echoes, last = left + staying, echoes + heard, max(last, at or 0.0)
            part.end()
        return ends, left, echoes, last


def drained(mutes):
    with Program("--drain", f"{DRAIN}s", "--close-wait", "2s") as program:
        with opened(program.port) as first:
            first.echo()
        crowds = Crowds(program.port, COUNT, COUNT // 20, mutes)
        time.sleep(1)
        began = time.monotonic()
        program.signal(signal.SIGTERM)
        status = program.wait(slack(DRAIN + 5))
        took = time.monotonic() - began
        ends, left, echoes, last = crowds.ends()
    assert status == 0, f"status {status}"
    assert took <= slack(DRAIN), f"{took:.1f} s of {DRAIN} s to drain"
    assert ends == {(1001, "fin"): COUNT - mutes}, f"they ended by {ends}"
    assert left == mutes, f"{left} have not ended"
    assert echoes > COUNT // 20, f"{echoes} echoes: there was no load"
    return f"{COUNT} connections: the last of those who listen went after {last - began:.2f} s, the program after {took:.2f} s"


@FAULTS.fault("under-load")
def under_load():
    """A twentieth of them speak all the time."""
    return drained(0)


@FAULTS.fault("half-stalled")
def half_stalled():
    """Half of them read nothing: they are cut once the time for the closing handshake is over."""
    return drained(COUNT // 2)
