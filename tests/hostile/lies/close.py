"""close.py - ends that are none, are wrong, or come without a word (RFC 6455 sections 5.5.1 and 7)."""

import os
import time

from liar import CLOSED, DROPPED, TIMEOUT, Lies, closing, frame, meet
from wire import CLOSE, TEXT

LIES = Lies(threads=4)
EVIL = b"\x1b]0;owned\x07\x1b[2J\r\n\xc2\x9b31m"

LIES.ends("codes", *[closing(code) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)], code=1002)
LIES.ends("one-byte", frame(CLOSE, b"\x03"), code=1002)
LIES.ends("reason-utf8", closing(1000, b"\xff"), closing(1000, b"ab\xe2\x82"), code=(1002, 1007))


@LIES.row("data-after")
def data_after():
    """What comes behind a close frame is not a message any more."""

    def script(caller):
        caller.accept()
        caller.send(frame(TEXT, b"before"), closing(1000), frame(TEXT, b"after"), frame(3))
        caller.ended_with(1000)

    meet(script, "--wait").succeeded(b"before\n")


@LIES.row("tcp-without-close")
def tcp_without_close():
    def script(caller):
        caller.accept()
        caller.send(frame(TEXT, b"hello"))

    meet(script, "--wait", limit=1).failed(DROPPED, printed=b"hello\n")


@LIES.row("half-close")
def half_close():
    """FIN without a close frame, from a server that goes on listening."""

    def script(caller):
        caller.accept()
        caller.send(frame(TEXT, b"hello"))
        caller.finish()
        caller.until_end()

    meet(script, "--wait").failed(DROPPED, printed=b"hello\n")


@LIES.row("mid-frame")
def mid_frame():
    whole = frame(TEXT, b"x" * 300)
    for cut in (1, 2, 3, 4, 5, 150, len(whole) - 1):

        def script(caller, cut=cut):
            caller.accept()
            caller.send(whole[:cut])

        meet(script, "--wait", limit=1).failed(DROPPED)


@LIES.row("mid-message")
def mid_message():
    """A clean close in the middle of a message does not make a message of it."""

    def script(caller):
        caller.accept()
        caller.send(frame(TEXT, b"half", fin=False), closing(1000))
        caller.ended_with(1000)

    met = meet(script, "--wait")
    assert met.out == b"", met.out


@LIES.row("rst")
def rst():
    def script(caller):
        caller.accept()
        caller.send(frame(TEXT, b"hello"))
        time.sleep(0.1)  # RST destroys what has not been read; what was printed by then is not the point
        caller.reset()

    met = meet(script, "--wait")
    assert met.status == DROPPED and met.out in (b"", b"hello\n"), met.out


@LIES.row("tcp-held-open")
def tcp_held_open():
    """The closing handshake is done, and the server never ends TCP (RFC 6455 section 7.1.1): not for ever."""

    def script(caller):
        caller.accept()
        caller.send(closing(1000))
        assert caller.next().opcode == CLOSE
        caller.until_end()

    meet(script, "--wait", limit=8)


@LIES.row("close-unanswered")
def close_unanswered():
    """The client closes, and nothing comes any more."""

    def script(caller):
        caller.accept()
        assert caller.next().opcode == CLOSE
        caller.until_end()

    met = meet(script, limit=8).failed(DROPPED)
    assert met.seconds >= 0.3, "it did not wait for the answer"


@LIES.row("close-talked-over")
def close_talked_over():
    """The client closes, and the server goes on talking: it is heard out, but for no longer than the user says."""

    def script(caller):
        caller.accept()
        assert caller.next().opcode == CLOSE
        while caller.try_send(frame(TEXT, b"still here")):
            time.sleep(0.02)

    met = meet(script, "--timeout", "1s")
    assert met.status == TIMEOUT and met.out.startswith(b"still here\n"), (met.status, met.out[:80])


@LIES.row("escapes")
def escapes():
    """Neither a reason nor a message steers the terminal (CWE-150)."""
    said = [frame(TEXT, b"evil " + EVIL), closing(4000, EVIL)]

    def script(caller):
        caller.accept()
        caller.send(*said)
        caller.ended_with(4000)

    met = meet(script, "--wait")
    assert met.status == CLOSED and met.out == b"evil " + EVIL + b"\n", met.out  # a filter passes on what it gets
    ours, theirs = os.openpty()
    try:
        meet(script, "--wait", terminal=theirs)
        shown = os.read(ours, 65536)
        while b"4000" not in shown:
            shown += os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"evil" in shown and not {0x1B, 0x07} & set(shown) and b"\xc2\x9b" not in shown, shown
