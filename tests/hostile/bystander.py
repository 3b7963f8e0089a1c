"""bystander.py - a peer that does nothing wrong, beside one that does."""

import threading
import time

from program import slack
from wire import Gone, opened

DELAY = 2.0  # seconds that it may wait


class Bystander(threading.Thread):
    """An honest peer that speaks ten times a second, and must not notice anything."""

    def __init__(self, program, delay=DELAY):
        super().__init__(daemon=True)
        self.peer = opened(program.port, tls=program.tls_context())
        self.delay = delay
        self.done = threading.Event()
        self.longest = 0.0
        self.failure = None

    def run(self):
        try:
            while not self.done.wait(0.1):
                began = time.monotonic()
                self.peer.echo()
                self.longest = max(self.longest, time.monotonic() - began)
        except (Gone, OSError, AssertionError) as error:
            self.failure = f"{type(error).__name__} {error}"

    def judge(self):
        """Looks back on the time since the last call."""
        longest, self.longest = self.longest, 0.0
        assert self.failure is None, f"the bystander was disturbed: {self.failure}"
        assert longest <= slack(self.delay), f"the bystander waited {longest:.1f} s"

    def leave(self):
        self.done.set()
        self.join()
        self.peer.socket.close()
