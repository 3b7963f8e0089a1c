"""Fragmentation, and control frames between fragments (RFC 6455 section 5.4)."""

from cases import Section
from outcomes import answers, echoes, fails
from script import heard, ponged, split
from wire import BINARY, TEXT, binary, close, cont, cut, fragments, letters, octets, ping, pong, text

S = Section("5.4", "Fragmentation")

ANY = "A message may be in any number of fragments, of any sizes."
KINDS = {"text": (TEXT, letters), "binary": (BINARY, octets)}
for kind, (opcode, make) in KINDS.items():
    for parts in (2, 3, 4, 10, 100, 1000):
        S.case(f"{kind}-in-{parts}", ANY, fragments(opcode, *cut(make(parts * 3), 3)), echoes())
    for size in (1, 124, 125, 126, 127, 65535, 65536):
        S.case(f"{kind}-by-{size}", ANY, fragments(opcode, *cut(make(3 * size + 1), size)), echoes())
    S.case(f"{kind}-by-1-cut", ANY, split(*fragments(opcode, *cut(make(64), 1)), every=1), echoes())
    S.case(f"{kind}-mixed-sizes", ANY, fragments(opcode, b"", make(1), make(126), b"", make(70000), make(3), b""), echoes())

EMPTY = "Fragments may be empty."
for name, parts in {
    "first": [b"", b"ab", b"cd"],
    "middle": [b"ab", b"", b"cd"],
    "last": [b"ab", b"cd", b""],
    "all-but-one": [b"", b"", b"x", b"", b""],
    "two": [b"", b""],
    "all": [b""] * 20,
    "five-hundred": [b""] * 500 + [b"x"],
}.items():
    S.case(f"empty-{name}-text", EMPTY, fragments(TEXT, *parts), echoes())
    S.case(f"empty-{name}-binary", EMPTY, fragments(BINARY, *parts), echoes())

FOLLOWING = "A message may follow another, fragmented or not."
S.case("two-fragmented", FOLLOWING, [fragments(TEXT, "a", "b"), fragments(BINARY, b"c", b"d")], echoes())
S.case("whole-then-fragmented", FOLLOWING, [text("a"), fragments(TEXT, "b", "c"), binary(b"d")], echoes())
S.case("fifty-fragmented", FOLLOWING, [fragments(TEXT, str(n), "x", str(n)) for n in range(50)], echoes())

# ---- Control frames between

BETWEEN = "Control frames may be between the fragments of a message, and are answered at once."
S.case("ping-between", BETWEEN, [text("a", fin=False), ping(b"?"), ponged(b"?"), cont("b")], echoes())
S.case("ping-between-empty", BETWEEN, [text("", fin=False), ping(b""), ponged(b""), cont("")], echoes())
parts = [[part, ping(str(n)), ponged(str(n))] for n, part in enumerate(fragments(TEXT, *"abcdefgh", "")[:-1])]
S.case("ping-behind-each", BETWEEN, [parts, cont("!")], echoes())
S.case("ping-125-between", BETWEEN, [binary(b"a", fin=False), ping(octets(125)), ponged(octets(125)), cont(b"b")], echoes())
S.case("pings-between", BETWEEN, [text("a", fin=False), *[ping(str(n)) for n in range(10)], ponged(b"9"), cont("b")], echoes())
S.case("pong-between", BETWEEN, [text("a", fin=False), pong(b"nobody asked"), cont("b")], echoes())
S.case("both-between", BETWEEN, [text("a", fin=False), pong(b"x"), ping(b"y"), ponged(b"y"), pong(b""), cont("b")], echoes())
S.case("ping-before-last-empty", BETWEEN, [text("all", fin=False), ping(b"?"), ponged(b"?"), cont("")], echoes())
UNFINISHED = "A message that is not finished when the close frame comes is not delivered."
S.case("close-between", UNFINISHED, [text("a", fin=False), close(1000), cont("b")], answers(1000))
for size in (1, 2, 3, 7):
    parts = [text("ab", fin=False), ping(b"1"), cont("cd", fin=False), ping(b"22"), pong(b""), cont("ef")]
    S.case(f"between-in-pieces-of-{size}", BETWEEN, split(*parts, every=size), echoes())

# ---- Against the rules

NOTHING = "A continuation frame must continue something."
for name, parts in {
    "final": [cont("x")],
    "not-final": [cont("x", fin=False)],
    "empty": [cont("")],
    "empty-not-final": [cont("", fin=False), cont("")],
    "then-text": [cont("x", fin=False), text("y")],
    "long": [cont(octets(300))],
}.items():
    S.case(f"nothing-to-continue-{name}", NOTHING, parts, fails(1002))
for name, before in {"whole": text("ab"), "fragmented": fragments(TEXT, "a", "b")}.items():
    outcome = fails(1002, after=["ab"])
    S.case(f"nothing-to-continue-behind-{name}", NOTHING, [before, heard("ab"), cont("c")], outcome)
S.case("nothing-to-continue-behind-ping", NOTHING, [ping(b"x"), ponged(b"x"), cont("c")], fails(1002))
S.case("nothing-to-continue-behind-pong", NOTHING, [pong(b"x"), cont("c")], fails(1002))
S.case("nothing-to-continue-twice", NOTHING, [cont("a", fin=False), cont("b")], fails(1002))

INSIDE = "The fragments of one message MUST NOT be interleaved with those of another."
for outer in ("text", "binary"):
    for inner, frame in {
        "text": text("y"),
        "text-not-final": text("y", fin=False),
        "binary": binary(b"y"),
        "empty-text": text(""),
        "empty-binary-not-final": binary(b"", fin=False),
    }.items():
        begin = text("x", fin=False) if outer == "text" else binary(b"x", fin=False)
        S.case(f"{inner}-inside-{outer}", INSIDE, [begin, frame, cont("z")], fails(1002))
S.case("text-inside-after-ping", INSIDE, [text("x", fin=False), ping(b"?"), ponged(b"?"), text("y")], fails(1002))
S.case("text-inside-after-continuation", INSIDE, [text("x", fin=False), cont("y", fin=False), text("z")], fails(1002))
