"""time.py - servers that take their time."""

import time

from liar import DROPPED, REFUSED, TIMEOUT, Lies, answer, frame, meet
from program import slack
from wire import PING

LIES = Lies(threads=8)
SHORT = ("--connect-timeout", "1s")
LATE = 1 + slack(1.5)  # seconds


def timely(met, least=0.9):
    assert least <= met.seconds <= LATE, f"it took {met.seconds:.1f} s"
    met.failed(TIMEOUT)


@LIES.row("silent")
def silent():
    timely(meet(lambda caller: caller.request().until_end(), "--wait", *SHORT))


@LIES.row("drip")
def drip():
    """The answer comes a byte at a time, and the bytes keep coming: the deadline is absolute."""

    def script(caller):
        for byte in answer(caller.request().key) * 10:
            caller.send(bytes([byte]))
            time.sleep(0.02)

    timely(meet(script, "--wait", *SHORT))


@LIES.row("interim-drip")
def interim_drip():
    """So does an interim answer every now and then."""

    def script(caller):
        caller.request()
        while caller.try_send(b"HTTP/1.1 100 Continue\r\n\r\n"):
            time.sleep(0.3)

    timely(meet(script, "--wait", *SHORT))


@LIES.row("body-drip")
def body_drip():
    """The body of a refusal is waited for no longer."""

    def script(caller):
        caller.request()
        caller.send(b"HTTP/1.1 403 No\r\nContent-Length: 1000\r\n\r\n")
        while caller.try_send(b"x"):
            time.sleep(0.1)

    met = meet(script, "--wait", *SHORT).failed(REFUSED, TIMEOUT)
    assert met.seconds <= LATE and "403" in met.err, (met.seconds, met.err)


@LIES.row("tls-stall")
def tls_stall():
    """TLS that is never answered, or answered a byte at a time."""

    def dripping(caller):
        for byte in b"\x16\x03\x03\x40\x00" + bytes(1000):
            caller.send(bytes([byte]))
            time.sleep(0.02)

    for script in (lambda caller: caller.until_end(), dripping):
        timely(meet(script, "--wait", *SHORT, host="127.0.0.1"))


@LIES.row("gone-silent")
def gone_silent():
    """A server that neither speaks nor answers pings any more is given up."""

    def script(caller):
        caller.accept()
        caller.send(frame(PING, b"the last word"))
        caller.until_end()

    met = meet(script, "--wait", "--ping-interval", "500ms", limit=15).failed(DROPPED)
    assert met.seconds >= 0.5
