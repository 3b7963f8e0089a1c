"""Masking (RFC 6455 sections 5.1 and 5.3)."""

from cases import CLIENT, SERVER, Section
from outcomes import echoes, echoes_masked, fails
from script import heard, ponged, split
from wire import WRONG, binary, close, cont, octets, ping, pong, text

S = Section("5.1", "Who masks")

WRONG_WAY = "A server MUST close on a frame that is not masked, a client on one that is."
for name, frame in {
    "text": text("x", mask=WRONG),
    "empty-text": text("", mask=WRONG),
    "binary": binary(b"x", mask=WRONG),
    "long-binary": binary(octets(300), mask=WRONG),
    "fragment": text("x", fin=False, mask=WRONG),
    "ping": ping(b"x", mask=WRONG),
    "empty-ping": ping(b"", mask=WRONG),
    "pong": pong(b"x", mask=WRONG),
    "close": close(1000, mask=WRONG),
    "empty-close": close(mask=WRONG),
}.items():
    S.case(f"wrong-{name}", WRONG_WAY, frame, fails(1002))
S.case("wrong-second", WRONG_WAY, [text("a"), heard("a"), text("b", mask=WRONG)], fails(1002, after=["a"]))
S.case("wrong-continuation", WRONG_WAY, [text("a", fin=False), cont("b", mask=WRONG)], fails(1002))
S.case("wrong-ping-inside", WRONG_WAY, [text("a", fin=False), ping(b"", mask=WRONG), cont("b")], fails(1002))

S = Section("5.3", "Masking by the client", roles=(SERVER,))

ANY = "Any key may come, a new one with each frame."
KEYS = ("00000000", "ffffffff", "00000001", "01000000", "80808080", "7f000000", "deadbeef", "0000ff00")
for key in KEYS:
    mask = bytes.fromhex(key)
    S.case(f"key-{key}-text", ANY, text("masked with " + key, mask=mask), echoes())
    S.case(f"key-{key}-binary", ANY, binary(octets(1000), mask=mask), echoes())
    S.case(f"key-{key}-ping", ANY, ping(b"\x00\x01\x02" * 30, mask=mask), echoes())
S.case("key-changes", ANY, [text(key, mask=bytes.fromhex(key)) for key in KEYS], echoes())
parts = [text("", fin=False), *[cont(key, fin=key == KEYS[-1], mask=bytes.fromhex(key)) for key in KEYS]]
S.case("key-changes-in-fragments", ANY, parts, echoes())
S.case("key-is-the-payload", ANY, binary(b"\x37\xfa\x21\x3d" * 8), echoes())

POSITION = "Octet i is masked with octet i modulo 4 of the key, wherever TCP cuts the payload."
for length in range(1, 20):
    S.case(f"length-{length}", POSITION, binary(octets(length), mask=b"\x01\x20\x03\x40"), echoes())
for at in range(7, 27):
    S.case(f"cut-at-{at}", POSITION, split(binary(octets(20), mask=b"\x01\x20\x03\x40"), at=[at]), echoes())
for size in (1, 2, 3, 5, 6, 7, 9, 31, 33):
    S.case(f"pieces-of-{size}", POSITION, split(binary(octets(400), mask=b"\x01\x20\x03\x40"), every=size), echoes())

# ---- What a client does itself. That each frame is masked, and no two in a row with one key, is judged in each case.

S = Section("5.3", "Keys of the client", roles=(CLIENT,))

FRESH = "The key of each frame is new, and cannot be told from those before."
for name, frames in {
    "messages": [text(f"message {n}") for n in range(80)],
    "same-messages": [text("same")] * 80,
    "empty-messages": [text("")] * 80,
    "large-messages": [binary(octets(2000))] * 80,
    "zeros": [binary(bytes(64))] * 80,
}.items():
    S.case(f"fresh-{name}", FRESH, frames, echoes_masked())
waited = [[ping(str(n)), ponged(str(n))] for n in range(80)]
S.case("fresh-pongs", FRESH, waited, echoes_masked())
mixed = [[text("x"), heard(*["x"] * (n + 1)), ping(str(n)), ponged(str(n))] for n in range(40)]
S.case("fresh-pongs-and-messages", FRESH, mixed, echoes_masked())
for length in range(1, 20):
    S.case(f"unmasked-length-{length}", "What comes is not masked, and is masked when it goes.", binary(octets(length)), echoes())
