"""Base framing: opcodes, reserved bits, lengths (RFC 6455 section 5.2)."""

from cases import KIB, Section
from outcomes import answers, echoes, either, fails, non_strict
from script import heard, split
from wire import PING, PONG, Frame, binary, close, cont, letters, octets, ping, pong, text

# ---- Opcodes

S = Section("5.2", "Base framing protocol")

UNKNOWN = "If an unknown opcode is received, the receiving endpoint MUST fail the connection."
for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    S.case(f"opcode-{opcode}", UNKNOWN, Frame(opcode), fails(1002))
    S.case(f"opcode-{opcode}-payload", UNKNOWN, Frame(opcode, b"reserved"), fails(1002))
    S.case(
        f"opcode-{opcode}-between-messages",
        UNKNOWN,
        [text("before"), heard("before"), Frame(opcode, b"x"), text("behind"), ping(b"behind")],
        fails(1002, after=["before"]),
    )
    S.case(
        f"opcode-{opcode}-between-fragments",
        UNKNOWN,
        [text("a", fin=False), Frame(opcode, b"x"), cont("b")],
        fails(1002),
    )
    S.case(f"opcode-{opcode}-not-final", UNKNOWN, Frame(opcode, b"x", fin=False), fails(1002))

# ---- Reserved bits

RESERVED = "A reserved bit that no extension has given a meaning MUST fail the connection."
for rsv in range(1, 8):
    for name, frame in {
        "text": text("x"),
        "binary": binary(b"x"),
        "empty-text": text(""),
        "ping": ping(b"x"),
        "pong": pong(b"x"),
        "close": close(1000),
    }.items():
        S.case(f"rsv-{rsv:03b}-{name}", RESERVED, Frame(frame.opcode, frame.payload, rsv=rsv), fails(1002))
    S.case(
        f"rsv-{rsv:03b}-continuation",
        RESERVED,
        [text("a", fin=False), cont("b", rsv=rsv)],
        fails(1002),
    )
    S.case(
        f"rsv-{rsv:03b}-second-message",
        RESERVED,
        [text("before"), heard("before"), text("x", rsv=rsv)],
        fails(1002, after=["before"]),
    )

# ---- Lengths

LENGTHS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 124, 125, 126, 127, 128, 129, 255, 256, 257)
LARGER = (1023, 1024, 1025, 4095, 4096, 4097, 16383, 16384, 16385, 32767, 32768, 65534, 65535, 65536, 65537, 131071, 131072)


for length in (*LENGTHS, *LARGER):
    rule = f"A payload of {length} bytes comes back as it was."
    S.case(f"length-{length}-text", rule, text(letters(length)), echoes())
    S.case(f"length-{length}-binary", rule, binary(octets(length)), echoes())

# The RFC does not say what becomes of one who breaks this rule.
MINIMAL = "The minimal number of bytes MUST be used to encode the length."


def refused():
    return either(fails(1002), non_strict(echoes()))


for length in (0, 1, 124, 125):
    S.case(f"length-{length}-in-16-bits", MINIMAL, binary(octets(length), form=16), refused())
    S.case(f"length-{length}-in-64-bits", MINIMAL, binary(octets(length), form=64), refused())
for length in (126, 127, 256, 65535):
    S.case(f"length-{length}-in-64-bits", MINIMAL, binary(octets(length), form=64), refused())
for form in (16, 64):
    for opcode, name in ((PING, "ping"), (PONG, "pong")):
        S.case(f"{name}-length-in-{form}-bits", MINIMAL, Frame(opcode, b"", form=form), refused())
    outcome = either(fails(1002), non_strict(answers(None)))
    S.case(f"close-length-in-{form}-bits", MINIMAL, close(form=form), outcome)

TOP = "The most significant bit of a 64-bit length MUST be 0."
for length in (1 << 63, (1 << 63) + 5, (1 << 64) - 1):
    S.case(f"length-{length:#x}", TOP, binary(b"xxxxx", announce=length), fails(1002, 1009))
    S.case(f"length-{length:#x}-text", TOP, text("xxxxx", announce=length), fails(1002, 1009))

# ---- Where TCP cuts it

CUTS = "A frame does not depend on how TCP cuts it."
HEADS = {"7": text("Hello"), "16": text(letters(200)), "64": binary(octets(65536))}
for name, frame in HEADS.items():
    for at in range(1, {"7": 11, "16": 9, "64": 15}[name]):
        S.case(f"cut-{name}-bit-length-at-{at}", CUTS, split(frame, at=[at]), echoes())
for size in (1, 2, 3, 5, 7):
    several = [text("one"), ping(b"two"), binary(octets(130)), text("th", fin=False), ping(b""), cont("ree"), pong(b"x")]
    S.case(f"pieces-of-{size}", CUTS, split(*several, every=size), echoes())
for size in (997, 1460, 4096, 16384):
    S.case(f"pieces-of-{size}-large", CUTS, split(binary(octets(128 * KIB)), text("end"), every=size), echoes())
S.case("many-in-one-packet", CUTS, [text(f"message {n}") for n in range(500)], echoes())
S.case("many-cut-anywhere", CUTS, split(*[binary(octets(n)) for n in range(200)], every=61), echoes())
