"""Large messages, and the limit of their size (RFC 6455 section 10.4). What a peer says about its limit comes by --limit."""

from cases import KIB, MIB, Section
from outcomes import echoes, fails
from script import heard, ponged, split
from wire import BINARY, TEXT, binary, cont, cut, fragments, letters, octets, ping, text

S = Section("10.4", "Limits and large messages")

LARGE = "A message of this size comes back as it was."
for size in (256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB):
    name = f"{size // MIB}-mib" if size >= MIB else f"{size // KIB}-kib"
    needs = {"limited": size, "alone": size > MIB}
    S.case(f"{name}-text", LARGE, lambda size=size: text(letters(size)), echoes(), **needs)
    S.case(f"{name}-binary", LARGE, lambda size=size: binary(octets(size)), echoes(), **needs)
    for part in (64 * KIB, MIB):
        made = lambda size=size, part=part: fragments(BINARY, *cut(octets(size), part))
        if size > part:
            S.case(f"{name}-in-fragments-of-{part // KIB}-kib", LARGE, made, echoes(), **needs)
S.case("1-mib-in-fragments-of-1-kib", LARGE, lambda: fragments(TEXT, *cut(letters(MIB), KIB)), echoes(), limited=MIB)
S.case("1-mib-in-fragments-of-4-kib", LARGE, lambda: fragments(TEXT, *cut(letters(MIB), 4 * KIB)), echoes(), limited=MIB)
S.case("256-kib-in-fragments-of-128", LARGE, lambda: fragments(TEXT, *cut(letters(256 * KIB), 128)), echoes(), limited=MIB)
S.case("1-mib-of-letters-of-3", LARGE, lambda: text("€" * (MIB // 3)), echoes(), limited=MIB)
S.case("16-mib-of-letters-of-4", LARGE, lambda: text("😀" * (4 * MIB)), echoes(), limited=16 * MIB, alone=True)
for size in (1000, 1460, 4096, 65536):
    made = lambda size=size: split(binary(octets(MIB)), every=size)
    S.case(f"1-mib-in-pieces-of-{size}", LARGE, made, echoes(), limited=MIB, alone=size < 4096)
S.case("1-mib-thrice", LARGE, lambda: [binary(octets(MIB)), text(letters(MIB)), binary(octets(MIB))], echoes(), limited=MIB)
S.case("1-mib-then-small", LARGE, lambda: [binary(octets(MIB)), text("small"), binary(b"")], echoes(), limited=MIB)
S.case(
    "ping-inside-1-mib",
    "A ping between large fragments is answered at once.",
    lambda: [binary(octets(MIB // 2), fin=False), ping(b"?"), ponged(b"?"), cont(octets(MIB // 2))],
    echoes(),
    limited=MIB,
)

# ---- At the limit

OVER = "A message that is too big is refused with 1009."
S.case("limit-exactly", "The limit is allowed.", lambda limit: binary(octets(limit)), echoes(), limited=True, alone=True)
S.case("one-over", OVER, lambda limit: binary(b"x", announce=limit + 1), fails(1009), limited=True)
S.case("one-over-text", OVER, lambda limit: text("x", announce=limit + 1), fails(1009), limited=True)
S.case("twice-the-limit", OVER, lambda limit: binary(b"x", announce=2 * limit), fails(1009), limited=True)
for bits in (32, 33, 40, 48, 53, 62):
    length = (1 << bits) + 1
    S.case(f"2^{bits}", OVER, lambda limit, length=length: binary(b"x", announce=length), fails(1009), limited=True)
S.case("2^63-1", OVER, lambda limit: binary(b"x", announce=(1 << 63) - 1), fails(1009, 1002), limited=True)
S.case(
    "one-over-by-fragment",
    OVER,
    lambda limit: [binary(octets(KIB), fin=False), cont(b"x", announce=limit - KIB + 1)],
    fails(1009),
    limited=True,
)
S.case(
    "over-by-many-fragments",
    OVER,
    lambda limit: [binary(b"", fin=False), *[cont(octets(limit // 64), fin=False)] * 64, cont(b"x")],
    fails(1009),
    limited=True,
    alone=True,
)
S.case(
    "one-over-behind-a-message",
    OVER,
    lambda limit: [text("a"), heard("a"), binary(b"x", announce=limit + 1)],
    fails(1009, after=["a"]),
    limited=True,
)
