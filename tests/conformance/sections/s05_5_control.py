"""Control frames (RFC 6455 section 5.5)."""

from cases import Section
from outcomes import answers, echoes, either, ends, fails, non_strict
from script import heard, otherwise, ponged, split
from wire import CLOSE, PING, PONG, Frame, binary, close, cont, letters, octets, ping, pong, text

CONTROL = {"close": CLOSE, "ping": PING, "pong": PONG}
CODE = b"\x03\xe8"

S = Section("5.5", "Control frames")

LONG = "All control frames MUST have a payload of 125 bytes or less."
for name, opcode in CONTROL.items():
    start = CODE if opcode == CLOSE else b"xx"
    for length in (126, 127, 128, 255, 256, 65535, 65536):
        S.case(f"{name}-of-{length}", LONG, Frame(opcode, start + letters(length - 2)), fails(1002))
    borne = answers(1000) if opcode == CLOSE else echoes()
    outcome = either(fails(1002), non_strict(borne))
    S.case(f"{name}-of-125-in-16-bits", "Nor is 126 their length.", Frame(opcode, start + letters(123), form=16), outcome)
    announced = [Frame(opcode, b"", announce=126), otherwise(start + letters(124))]
    S.case(f"{name}-of-126-announced", LONG + " It can be seen at once.", announced, fails(1002))
    S.case(f"{name}-of-126-inside", LONG, [text("a", fin=False), Frame(opcode, start + letters(124))], fails(1002))

WHOLE = "All control frames MUST NOT be fragmented."
for name, opcode in CONTROL.items():
    start = CODE if opcode == CLOSE else b""
    S.case(f"{name}-not-final", WHOLE, Frame(opcode, start + b"x", fin=False), fails(1002))
    S.case(f"{name}-not-final-empty", WHOLE, Frame(opcode, start, fin=False), fails(1002))
    S.case(f"{name}-in-fragments", WHOLE, [Frame(opcode, start, fin=False), cont(b"x")], fails(1002))
    S.case(f"{name}-not-final-inside", WHOLE, [text("a", fin=False), Frame(opcode, start, fin=False), cont("b")], fails(1002))

# ---- Ping

S = Section("5.5.2", "Ping")

SAME = "A pong has the payload of its ping."
for length in (0, 1, 2, 3, 4, 5, 7, 8, 16, 63, 64, 100, 124, 125):
    S.case(f"payload-{length}", SAME, ping(octets(length)), echoes())
S.case("payload-text", SAME, ping("héllo"), echoes())
S.case("payload-not-utf8", SAME, ping(b"\xff\xfe\x80\xc0"), echoes())
S.case("payload-zeros", SAME, ping(bytes(125)), echoes())
S.case("payload-like-a-frame", SAME, ping(b"\x81\x01x\x88\x00"), echoes())

ANSWERED = "A ping is answered by a pong, unless a close frame has come."
S.case("first-thing", ANSWERED, [ping(b"1"), ponged(b"1")], echoes())
S.case("one-after-another", ANSWERED, [[ping(str(n)), ponged(str(n))] for n in range(10)], echoes())
S.case("ten-at-once", ANSWERED, [ping(str(n)) for n in range(10)], echoes())
S.case("same-ten-times", ANSWERED, [ping(b"same") for _ in range(10)], echoes())
flood = [ping(b"%d " % n + octets(n % 100)) for n in range(1000)]
S.case("thousand-at-once", "A flood is borne, or ended as one.", flood, either(echoes(), non_strict(ends())))
S.case("between-messages", ANSWERED, [text("a"), ping(b"1"), text("b"), ping(b"2"), text("c")], echoes())
S.case("before-a-large-message", ANSWERED, [ping(b"1"), binary(octets(200_000)), ping(b"2")], echoes())
for at in range(1, 11):
    S.case(f"cut-at-{at}", ANSWERED, split(ping(b"Hello"), at=[at]), echoes())
S.case("byte-by-byte", ANSWERED, split(ping(octets(125)), every=1), echoes())
S.case("behind-close", "No pong behind a close frame.", [close(1000), ping(b"too late")], answers(1000))
S.case("with-close", "A close frame right behind a ping.", [ping(b"x"), close(1000)], answers(1000))

# ---- Pong

S = Section("5.5.3", "Pong")

UNASKED = "A pong that nobody asked for is not answered, and does no harm."
for length in (0, 1, 64, 125):
    S.case(f"unasked-{length}", UNASKED, pong(octets(length)), echoes())
S.case("unasked-not-utf8", UNASKED, pong(b"\xff\xc0"), echoes())
S.case("unasked-then-text", UNASKED, [pong(b"x"), text("a")], echoes())
S.case("unasked-then-ping", UNASKED, [pong(b"x"), ping(b"y"), ponged(b"y")], echoes())
S.case("unasked-same-as-ping", UNASKED, [pong(b"x"), ping(b"x"), pong(b"x"), ping(b"z")], echoes())
S.case("unasked-hundred", UNASKED, [pong(str(n)) for n in range(100)], echoes())
S.case("unasked-between-messages", UNASKED, [text("a"), pong(b""), text("b"), pong(octets(125)), heard("a", "b")], echoes())
for at in range(1, 11):
    S.case(f"cut-at-{at}", UNASKED, [split(pong(b"Hello"), at=[at]), text("behind")], echoes())
