"""permessage-deflate (RFC 7692): negotiation, and compressed messages, good and bad."""

import struct
import zlib

from cases import BOTH, MIB, SERVER, Section
from heads import request
from outcomes import accepts, echoes, either, fails, non_strict, refuses
from script import compressed, heard, ponged, split
from wire import BINARY, CLOSE, PING, PONG, RSV1, RSV2, RSV3, TEXT, Frame
from wire import cont, cut, fragments, letters, noise, octets, ping, text

PLAIN = "permessage-deflate"
BITS = range(8, 16)


def offer_of(server_forgets, client_forgets, server_bits, client_bits):
    parts = [PLAIN]
    parts += ["server_no_context_takeover"] * server_forgets + ["client_no_context_takeover"] * client_forgets
    parts += [f"server_max_window_bits={server_bits}"] if server_bits else []
    parts += ["client_max_window_bits" + (f"={client_bits}" if client_bits > 1 else "")] if client_bits else []
    return "; ".join(parts)


def label_of(server_forgets, client_forgets, server_bits, client_bits):
    words = ["server-forgets"] * server_forgets + ["client-forgets"] * client_forgets
    words += [f"server-bits-{server_bits}"] if server_bits else []
    words += ["client-bits" + (f"-{client_bits}" if client_bits > 1 else "")] if client_bits else []
    return "-".join(words) or "plain"


# ---- Every combination, agreed on and used. Each message comes twice, so that the second could refer to the first; and is
# longer than a small window, so that a reference across it shows.

S = Section("7692:7.1", "Parameters of permessage-deflate", roles=(SERVER,))

USED = "What is negotiated is kept to, by both sides, over several messages."
SAMPLE = noise(700, 7).hex() + "again and again, " * 20
FAR = noise(1500, 9).hex()
for server_forgets in (False, True):
    for client_forgets in (False, True):
        for server_bits in (0, *BITS):
            for client_bits in (0, 1, *BITS):
                combination = (server_forgets, client_forgets, server_bits, client_bits)
                messages = [SAMPLE, SAMPLE, "", "a", FAR.encode(), FAR.encode(), SAMPLE]
                script = [compressed(message) for message in messages]
                S.case(f"offer-{label_of(*combination)}", USED, script, echoes(), offer=offer_of(*combination))

# A window of n bits: twice as many bytes of noise, twice over. Whoever looks back further than agreed is seen.
WINDOW = "No reference goes beyond the window, within a message or over several."
for bits in BITS:
    size = 1 << bits
    pair = noise(size + size // 2, bits)
    script = [compressed(pair + pair), compressed(pair), compressed(pair[: size // 2]), compressed(pair)]
    S.case(f"window-server-{bits}", WINDOW, script, echoes(), offer=f"{PLAIN}; server_max_window_bits={bits}")
    S.case(f"window-client-{bits}", WINDOW, script, echoes(), offer=f"{PLAIN}; client_max_window_bits={bits}")
whole = noise(32500, 3)
script = [compressed(whole), compressed(whole), compressed(whole[:200] + whole), compressed(whole[-100:])]
S.case("window-whole", "References may go back 32 KiB, into messages before.", script, echoes(), offer=PLAIN)

LISTS = "Of several offers the first that suits is taken."
for name, offer in {
    "same-twice": f"{PLAIN}, {PLAIN}",
    "bits-first": f"{PLAIN}; server_max_window_bits=10, {PLAIN}",
    "unknown-first": f"x-unknown; a=b, {PLAIN}",
    "unknown-parameter-first": f"{PLAIN}; unknown, {PLAIN}",
    "bad-value-first": f"{PLAIN}; server_max_window_bits=99, {PLAIN}",
    "doubled-first": f"{PLAIN}; server_no_context_takeover; server_no_context_takeover, {PLAIN}; server_no_context_takeover",
    "unknown-behind": f"{PLAIN}, x-unknown",
    "no-spaces": f"{PLAIN};server_no_context_takeover;client_max_window_bits,{PLAIN}",
    "many-spaces": f"  {PLAIN}  ;  server_no_context_takeover  ,  {PLAIN}  ",
    "twenty": ", ".join([PLAIN] * 20),
    "quoted-bits": f'{PLAIN}; server_max_window_bits="12"',
    "quoted-client-bits": f'{PLAIN}; client_max_window_bits="10"',
    "order": f"{PLAIN}; client_max_window_bits; server_max_window_bits=12; client_no_context_takeover; server_no_context_takeover",
}.items():
    S.case(f"list-{name}", LISTS, [compressed(SAMPLE), compressed(SAMPLE)], echoes(), offer=offer)

BAD = "An offer with a parameter that is unknown, repeated or has a wrong value MUST be declined."
for name, parameters in {
    "unknown": "unknown",
    "unknown-value": "unknown=1",
    "near-name": "server_no_context_takeove",
    "other-case": "Server_Max_Window_Bits=10",
    "server-bits-none": "server_max_window_bits",
    "server-bits-0": "server_max_window_bits=0",
    "server-bits-7": "server_max_window_bits=7",
    "server-bits-16": "server_max_window_bits=16",
    "server-bits-08": "server_max_window_bits=08",
    "server-bits-010": "server_max_window_bits=010",
    "server-bits-256": "server_max_window_bits=256",
    "server-bits-265": "server_max_window_bits=265",
    "server-bits-letters": "server_max_window_bits=ten",
    "server-bits-decimal": "server_max_window_bits=10.0",
    "server-bits-plus": "server_max_window_bits=+10",
    "server-bits-minus": "server_max_window_bits=-10",
    "server-bits-huge": "server_max_window_bits=4294967306",
    "client-bits-0": "client_max_window_bits=0",
    "client-bits-7": "client_max_window_bits=7",
    "client-bits-16": "client_max_window_bits=16",
    "client-bits-08": "client_max_window_bits=08",
    "client-bits-letters": "client_max_window_bits=x",
    "client-bits-huge": "client_max_window_bits=4294967306",
    "server-takeover-value": "server_no_context_takeover=1",
    "server-takeover-true": "server_no_context_takeover=true",
    "client-takeover-value": "client_no_context_takeover=1",
    "client-takeover-quoted": 'client_no_context_takeover="x"',
    "twice-server-bits": "server_max_window_bits=10; server_max_window_bits=10",
    "twice-server-bits-other": "server_max_window_bits=10; server_max_window_bits=11",
    "twice-client-bits": "client_max_window_bits; client_max_window_bits",
    "twice-client-bits-other": "client_max_window_bits; client_max_window_bits=10",
    "twice-server-takeover": "server_no_context_takeover; server_no_context_takeover",
    "twice-client-takeover": "client_no_context_takeover; client_no_context_takeover",
}.items():
    head = request(Sec_WebSocket_Extensions=f"{PLAIN}; {parameters}")
    S.case(f"bad-{name}", BAD, head, either(accepts(), non_strict(refuses(400))))

# ---- Compressed messages

S = Section("7692:7.2", "Compressed messages")


def good(name, rule, *script, roles=BOTH, offer=PLAIN, **needs):
    S.case(name, rule, list(script), echoes(), roles=roles, offer=offer, **needs)


ANY = "A compressed message comes back as it was."
for size in (0, 1, 2, 5, 8, 64, 125, 126, 127, 256, 1000, 4096, 32767, 32768, 65535, 65536, 131072):
    good(f"letters-{size}", ANY, compressed(letters(size).decode()))
    good(f"octets-{size}", ANY, compressed(octets(size)))
    good(f"noise-{size}", ANY, compressed(noise(size)))
good("1-mib", ANY, compressed(letters(MIB)), limited=MIB)
good("1-mib-of-noise", ANY, compressed(noise(MIB)), limited=MIB)
good("letters-of-all-lengths", ANY, compressed("aé€😀\0" * 300))

# The messages are those that come of RFC 7692 section 7.2.3; others are made by hand.
HELLO = {
    "one-frame": "f248cdc9c90700",
    "stored": "000500faff48656c6c6f00",
    "stored-empty-before": "000000ffff000500faff48656c6c6f00",
    "final-block": "f348cdc9c9070000",
    "final-stored": "010500faff48656c6c6f00",
    "two-blocks": "f24805000000ffffcac9c90700",
    "empty-stored-behind": "f248cdc9c907000000ffff00",
    "empty-fixed-behind": "f248cdc9c907000000ffff0200",
}
whole = split(Frame(TEXT, bytes.fromhex(HELLO["one-frame"]), rsv=RSV1), every=1)
S.case("hello-byte-by-byte", ANY, whole, echoes("Hello"), offer=PLAIN)
for name, data in HELLO.items():
    payload = bytes.fromhex(data)
    S.case(f"hello-{name}", "Any encoding of DEFLATE will do.", Frame(TEXT, payload, rsv=RSV1), echoes("Hello"), offer=PLAIN)
    parts = fragments(TEXT, *cut(payload, 3))
    split_up = [Frame(part.opcode, part.payload, part.fin, RSV1 if part.opcode else 0) for part in parts]
    S.case(f"hello-{name}-fragments", "Any encoding of DEFLATE will do.", split_up, echoes("Hello"), offer=PLAIN)
good("hello-twice", "The window is kept between messages (section 7.2.3.2).", compressed("Hello"), compressed("Hello"))
EMPTY = {"00": "00", "fixed": "0200", "stored": "000000ffff00", "final": "030000", "two": "000000ffff000000ffff00"}
for name, data in EMPTY.items():
    frame = Frame(TEXT, bytes.fromhex(data), rsv=RSV1)
    S.case(f"empty-{name}", "An empty message (section 7.2.3.6).", [frame, text("a")], echoes("", "a"), offer=PLAIN)
S.case(
    "empty-payload",
    "No payload at all is no DEFLATE; but some take it for an empty message.",
    Frame(TEXT, b"", rsv=RSV1),
    either(fails(1007, 1002), echoes("")),
    offer=PLAIN,
)

TEXTS = (letters(5000) + noise(500).hex().encode()).decode()
for blocks in ("stored", "fixed", "huffman", "best"):
    good(f"blocks-{blocks}", "Stored, fixed and dynamic blocks.", compressed(TEXTS, blocks=blocks), compressed(TEXTS))
    good(f"blocks-{blocks}-noise", "Stored, fixed and dynamic blocks.", compressed(noise(3000), blocks=blocks))
    good(f"blocks-{blocks}-empty", "Stored, fixed and dynamic blocks.", compressed("", blocks=blocks))
mixed = [compressed(TEXTS, blocks=blocks) for blocks in ("stored", "fixed", "best")]
good("blocks-mixed", "Any block may follow any other.", *mixed)
good("blocks-two", "A message may be of several blocks.", compressed(TEXTS, flushes=(100,)))
good("blocks-many", "A message may be of several blocks.", compressed(TEXTS, flushes=tuple(range(50, 5000, 50))))
good("blocks-empty", "Blocks may be empty.", compressed(TEXTS, flushes=(0, 0, 10, 10, 10)))
FINAL = "A block may be final: what is behind it belongs to the message too (section 7.2.3.4)."
good("final", FINAL, compressed(TEXTS, final=True))
good("final-then-next", FINAL, compressed("a" * 50, final=True), compressed("b" * 50), text("c"))
good("final-fragments", FINAL, compressed(TEXTS, final=True, every=100))
good("final-thrice", FINAL, *[compressed(TEXTS, final=True)] * 3)
good("final-empty", FINAL, compressed("", final=True), compressed("x"))

BESIDE = "A message may go out uncompressed, which leaves the window as it is."
good("beside-plain", BESIDE, text("plain"), compressed("deflated"), text("plain"), compressed("deflated"))
good("beside-fragments", BESIDE, compressed(TEXTS), fragments(TEXT, "pl", "ai", "n"), compressed(TEXTS))
good("beside-binary", BESIDE, compressed(TEXTS.encode()), Frame(BINARY, octets(300)), compressed(TEXTS))
good("beside-empty", BESIDE, text(""), compressed(""), text(""), compressed("x"))
beside = [ping(octets(125)), ponged(octets(125))]
good("beside-ping", "Control frames are not compressed.", compressed("a"), *beside, compressed("b"))

CONTEXT = "The window is kept, or forgotten, over any number of messages."
for name, offer in {
    "kept": PLAIN,
    "server-forgets": f"{PLAIN}; server_no_context_takeover",
    "client-forgets": f"{PLAIN}; client_no_context_takeover",
    "both-forget": f"{PLAIN}; server_no_context_takeover; client_no_context_takeover",
}.items():
    messages = [f"message {n}: {noise(20, n % 7).hex()} {'same ' * 20}" for n in range(100)]
    good(f"hundred-{name}", CONTEXT, *map(compressed, messages), offer=offer, roles=(SERVER,))
    sizes = [compressed(octets(n * 37)) for n in range(60)]
    good(f"sizes-{name}", CONTEXT, *sizes, offer=offer, roles=(SERVER,))
    large = [compressed(noise(20_000, n % 2)) for n in range(8)]
    good(f"large-{name}", CONTEXT, *large, offer=offer, roles=(SERVER,))

FRAGMENTS = "A compressed message may be cut anywhere; RSV1 is on its first fragment."
for every in (1, 2, 3, 7, 125, 126, 1000):
    good(f"fragments-of-{every}", FRAGMENTS, compressed(TEXTS, every=every), compressed(TEXTS, every=every))
good("fragments-first-empty", FRAGMENTS, compressed(TEXTS, cuts=(0, 10)))
good("fragments-empty-inside", FRAGMENTS, compressed(TEXTS, cuts=(10, 0, 0, 10, 0)))
good("fragments-last-empty", FRAGMENTS, compressed(TEXTS, cuts=(1 << 20,)))
good("fragments-empty-message", FRAGMENTS, compressed("", cuts=(0, 1)))
hello = bytes.fromhex(HELLO["one-frame"])
for at in range(1, len(hello)):
    parts = [Frame(TEXT, hello[:at], fin=False, rsv=RSV1), ping(b"?"), ponged(b"?"), cont(hello[at:])]
    S.case(f"ping-between-at-{at}", "Control frames may be between.", parts, echoes("Hello"), offer=PLAIN)

# ---- What is wrong

S = Section("7692:6", "RSV1")


def bad(name, rule, script, *codes, offer=PLAIN, after=(), **needs):
    S.case(name, rule, script, fails(*codes, after=after), offer=offer, **needs)


RSV = "RSV1 is for the first frame of a message; RSV2 and RSV3 mean nothing still."
for name, opcode in {"ping": PING, "pong": PONG, "close": CLOSE, "opcode-3": 3, "opcode-11": 11}.items():
    bad(f"rsv1-{name}", RSV, Frame(opcode, b"\x03\xe8" if opcode == CLOSE else b"", rsv=RSV1), 1002)
    bad(f"rsv1-{name}-inside", RSV, [Frame(TEXT, hello[:3], fin=False, rsv=RSV1), Frame(opcode, b"", rsv=RSV1)], 1002)
bad("rsv1-continuation", RSV, [Frame(TEXT, hello[:3], fin=False, rsv=RSV1), cont(hello[3:], rsv=RSV1)], 1002)
bad("rsv1-only-continuation", RSV, [text("a", fin=False), cont(hello, rsv=RSV1)], 1002)
bad("rsv1-empty-continuation", RSV, [Frame(TEXT, hello, fin=False, rsv=RSV1), cont(b"", rsv=RSV1)], 1002)
for rsv in (RSV2, RSV3, RSV1 | RSV2, RSV1 | RSV3, RSV2 | RSV3, RSV1 | RSV2 | RSV3):
    bad(f"rsv-{rsv:03b}", RSV, Frame(TEXT, hello, rsv=rsv), 1002)
    bad(f"rsv-{rsv:03b}-continuation", RSV, [Frame(TEXT, hello[:3], fin=False, rsv=RSV1), cont(hello[3:], rsv=rsv)], 1002)
S.case("rsv1-not-negotiated", "RSV1 means nothing where nothing was negotiated.", Frame(TEXT, hello, rsv=RSV1), fails(1002))

S = Section("7692:7.2.2", "Decompression")

def deflate_bits(text):
    """Bits in the order in which they are read (RFC 1951 section 3.1.1), packed into bytes."""
    bits = text.replace(" ", "")
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


GARBAGE = "What is no DEFLATE fails the connection."
for name, data in {
    "block-type-3": "07",
    "block-type-3-behind": "f248cdc9c9070006",
    "stored-length": "000500fbff48656c6c6f00",
    "stored-length-zero": "00000000000000",
    "distance-too-far": "f24805ffff00",
    "distance-code-30": deflate_bits("010 10010001 0000001 11110 0000000").hex(),
    "distance-code-31": deflate_bits("010 10010001 0000001 11111 0000000").hex(),
    "length-code-286": deflate_bits("010 10010001 11000110 00000 0000000").hex(),
    "distance-before-the-first": deflate_bits("010 0000001 00000 0000000").hex(),
    "ones": "ff" * 20,
    "dynamic-too-many": "fcffffffffffff",
    "zlib-head": "789cf248cdc9c90700",
    "gzip-head": "1f8b0800000000000003f248cdc9c90700",
    "text": b"this is not compressed at all, it only says so".hex(),
}.items():
    bad(f"garbage-{name}", GARBAGE, Frame(BINARY, bytes.fromhex(data), rsv=RSV1), 1007, 1002)
    parts = fragments(BINARY, *cut(bytes.fromhex(data), 1))
    bad(f"garbage-{name}-fragments", GARBAGE, [Frame(BINARY, parts[0].payload, parts[0].fin, RSV1), *parts[1:]], 1007, 1002)
bad("garbage-noise", GARBAGE, Frame(BINARY, b"\xee" + noise(1000, 4), rsv=RSV1), 1007, 1002)
bad("garbage-second", GARBAGE, [compressed("a"), heard("a"), Frame(TEXT, b"\x07", rsv=RSV1)], 1007, 1002, after=["a"])

CUT_OFF = "A message that ends inside a block is no DEFLATE; what there was of it may have been delivered."
for name, (payload, came) in {
    "stored": (struct.pack("<BHH", 0, 100, 0xFFFF ^ 100) + b"only this", b"only this\x00\x00\xff\xff"),
    "dynamic": (b"\x04\x00\x00\x00\x00", b""),
}.items():
    outcome = either(fails(1007, 1002), non_strict(echoes(came)))
    S.case(f"cut-off-{name}", CUT_OFF, Frame(BINARY, payload, rsv=RSV1), outcome, offer=PLAIN)

UTF8 = "The text is checked once it is decompressed (RFC 6455 section 8.1)."


def squeezed(data):
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


for bad_text in ("ff", "c0af", "eda080", "f4908080", "80", "c3", "e282", "f09f98"):
    data = squeezed(b"good " + bytes.fromhex(bad_text))
    bad(f"utf8-{bad_text}", UTF8, Frame(TEXT, data, rsv=RSV1), 1007)
    parts = fragments(TEXT, *cut(data, 2))
    bad(f"utf8-{bad_text}-fragments", UTF8, [Frame(TEXT, parts[0].payload, False, RSV1), *parts[1:]], 1007)
S.case(
    "utf8-not-of-the-wire",
    "What is on the wire need not be UTF-8; binary messages need not be at all.",
    [compressed("é" * 100), compressed(b"\xff\xc0" * 10)],
    echoes(),
    offer=PLAIN,
)

# ---- Bombs


def zeros(size):
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(MIB)
    data = b"".join(stream.compress(block) for _ in range(size // MIB)) + stream.compress(bytes(size % MIB))
    return (data + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


BOMB = "The limit of message size counts what comes of decompression."
NEEDS = {"limited": True, "offer": PLAIN}
S.case("bomb-exactly", BOMB, lambda limit: compressed(bytes(limit)), echoes(), alone=True, **NEEDS)
S.case("bomb-one-over", BOMB, lambda limit: Frame(BINARY, zeros(limit + 1), rsv=RSV1), fails(1009), alone=True, **NEEDS)
S.case("bomb-fourfold", BOMB, lambda limit: Frame(BINARY, zeros(4 * limit), rsv=RSV1), fails(1009), alone=True, **NEEDS)
S.case(
    "bomb-in-fragments",
    BOMB,
    lambda limit: [
        Frame(BINARY, b"", fin=False, rsv=RSV1),
        *[cont(part, fin=False) for part in cut(zeros(2 * limit), 999)],
        cont(b""),
    ],
    fails(1009),
    alone=True,
    **NEEDS,
)
S.case("bomb-of-text", BOMB, lambda limit: Frame(TEXT, zeros(limit + 1), rsv=RSV1), fails(1009), alone=True, **NEEDS)
