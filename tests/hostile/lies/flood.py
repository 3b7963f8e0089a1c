"""flood.py - servers that send without end, or without use."""

import os
import time

from liar import PROTOCOL, TIMEOUT, Lies, closing, frame, meet
from program import slack
from wire import CONT, PING, TEXT, Gone

LIES = Lies()


def pour(caller, block, size):
    """Sends so much of it, unless the client goes first. Whether all was taken."""
    try:
        for _ in range(-(-size // len(block))):
            caller.send(block)
        return True
    except (Gone, OSError):
        return False


@LIES.row("pings")
def pings():
    """64 MiB of pings whose pongs are not read until the end."""

    def script(caller):
        caller.accept()
        pour(caller, frame(PING, b"x" * 125) * 4000, 64 << 20)
        caller.try_send(closing(1000))
        caller.ended()

    meet(script, "--wait", limit=10)


@LIES.row("tiny-fragments")
def tiny_fragments():
    def script(caller):
        caller.accept()
        caller.send(frame(TEXT, b"x", fin=False))
        pour(caller, frame(CONT, b"x", fin=False) * 5000, 500_000 * 3)
        caller.ended_with(1008)

    meet(script, "--wait").failed(PROTOCOL)


@LIES.row("empty-fragments")
def empty_fragments():
    def script(caller):
        caller.accept()
        caller.send(frame(TEXT, b"x", fin=False))
        pour(caller, frame(CONT, b"", fin=False) * 5000, 500_000 * 2)
        caller.ended_with(1008)

    meet(script, "--wait").failed(PROTOCOL)


@LIES.row("endless-message")
def endless_message():
    """It is cut off at the limit of a message, which is far below."""

    def script(caller):
        caller.accept()
        caller.send(frame(TEXT, b"x", fin=False))
        assert not pour(caller, frame(CONT, b"x" * 65536, fin=False), 1 << 30), "1 GiB was taken"

    meet(script, "--wait", "--max-message-size", "1m").failed(PROTOCOL)
    meet(script, "--wait", peak=160 * 1024).failed(PROTOCOL)  # by default 64 MiB are taken


@LIES.row("empty-messages")
def empty_messages():
    def script(caller):
        caller.accept()
        caller.send(frame(TEXT) * 200_000, closing(1000))
        caller.ended_with(1000)

    meet(script, "--wait", limit=10).succeeded(b"\n" * 200_000)


@LIES.row("messages")
def messages():
    """64 MiB of them, to somewhere that takes them: nothing is kept."""
    block = frame(TEXT, b"x" * 65535) * 16

    def script(caller):
        caller.accept()
        assert pour(caller, block, 64 * len(block))
        caller.send(closing(1000))
        caller.ended_with(1000)

    met = meet(script, "--wait", limit=20)
    assert met.status == 0 and len(met.out) == 1024 * 65536


@LIES.row("reader-gone")
def reader_gone():
    """Behind a close frame of its own the client hears the rest out, but not for ever."""

    def script(caller):
        caller.accept()
        caller.send(frame(3))
        began = time.monotonic()
        while pour(caller, frame(TEXT, b"x" * 1000) * 100, 1 << 20):
            assert time.monotonic() - began < slack(10), "still read ten seconds after a fault"

    meet(script, "--wait", limit=12).failed(PROTOCOL)


@LIES.row("nobody-reads")
def nobody_reads():
    """Standard output is a pipe that nobody reads: nothing is kept for it, and --timeout holds all the same."""

    def script(caller):
        caller.accept()
        pour(caller, frame(TEXT, b"x" * 65535) * 16, 1 << 30)

    ours, theirs = os.pipe()
    try:
        for options in (("--wait",), ()):
            meet(script, *options, "--timeout", "1s", stdout=theirs, limit=8).failed(TIMEOUT)
    finally:
        os.close(ours)
        os.close(theirs)
