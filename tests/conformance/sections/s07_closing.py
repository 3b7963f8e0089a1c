"""Closing (RFC 6455 sections 5.5.1 and 7)."""

from cases import SERVER, Section
from outcomes import answers, either, ends, fails, lingers, non_strict
from script import closing_heard, fin, heard, ponged, split, unanswered
from wire import CLOSE, TEXT, Frame, binary, close, cont, fragments, letters, octets, ping, pong, text

S = Section("5.5.1", "Close")

S.case("empty", "A close frame without a payload is answered by one.", close(), answers(None))
S.case("code", "A close frame is answered by one, typically with its code.", close(1000), answers(1000))
ONE = "If there is a body, its first two bytes MUST be a code."
for byte in (0x00, 0x03, 0xE8, 0xFF):
    S.case(f"one-byte-{byte:02x}", ONE, Frame(CLOSE, bytes([byte])), fails(1002))

REASON = "A reason of UTF-8 may follow the code."
for length in (1, 2, 60, 122, 123):
    S.case(f"reason-{length}", REASON, close(1000, letters(length)), answers(1000))
for name, reason in {
    "two-bytes": "ñ" * 61,
    "three-bytes": "€" * 41,
    "four-bytes": "😀" * 30,
    "nul": "a\0b",
    "last-letter": "\U0010ffff",
}.items():
    S.case(f"reason-{name}", REASON, close(1000, reason), answers(1000))
S.case("reason-124", "The payload of a control frame is 125 bytes at most (section 5.5).", close(1000, letters(124)), fails(1002))
BAD_REASON = "The reason is UTF-8 (sections 5.5.1 and 8.1)."
for bad in ("ff", "80", "c080", "c3", "e282", "f09f98", "eda080", "edbfbf", "f4908080", "c328", "e28241", "fe", "f8888080"):
    S.case(f"reason-not-utf8-{bad}", BAD_REASON, close(1000, b"r " + bytes.fromhex(bad)), fails(1007, 1002))
S.case("reason-not-utf8-behind-122", BAD_REASON, close(1000, letters(122) + b"\xc3"), fails(1007, 1002))
for at in range(1, 11):
    S.case(f"cut-at-{at}", "A close frame may come in pieces.", split(close(1000, b"bye"), at=[at]), answers(1000))
S.case("byte-by-byte", "A close frame may come in pieces.", split(close(1000, letters(123)), every=1), answers(1000))

AFTER = "Behind a close frame nothing counts any more (section 5.5.1; 1.4)."
for name, more in {
    "text": [text("late")],
    "ping": [ping(b"late")],
    "pong": [pong(b"late")],
    "close": [close(1001)],
    "many": [text(str(n)) for n in range(100)],
    "rule-broken": [Frame(3, rsv=7)],
    "not-utf8": [text(b"\xff")],
    "half-a-frame": [b"\x81"],
    "large": [binary(octets(100_000))],
}.items():
    S.case(f"then-{name}", AFTER, [close(1000), *more], answers(1000))
    S.case(f"answered-then-{name}", AFTER, [close(1000), closing_heard(), *more], answers(1000))

BEFORE = "What came before a close frame still counts."
S.case("behind-message", BEFORE, [text("a"), heard("a"), close(1000)], answers(1000))
S.case("behind-ping", BEFORE, [ping(b"x"), ponged(b"x"), close(1001)], answers(1001))
S.case("behind-large-message", BEFORE, [binary(octets(300_000)), heard(b""), close(1000)], answers(1000))
S.case("with-message", BEFORE, [text("a"), close(1000)], answers(1000))
S.case("with-fragments", BEFORE, [fragments(TEXT, "a", "b", "c"), close(1000)], answers(1000))
S.case("with-ten-messages", BEFORE, [*[text(str(n)) for n in range(10)], close(1000)], answers(1000))
UNFINISHED = "A message that was not finished is not delivered."
for name, begun in {"text": text("a", fin=False), "binary": binary(b"a", fin=False), "empty": text("", fin=False)}.items():
    S.case(f"inside-{name}", UNFINISHED, [begun, close(1000)], answers(1000))
S.case("inside-many", UNFINISHED, [text("a", fin=False), *[cont("b", fin=False)] * 50, close(1000)], answers(1000))

# ---- Codes

S = Section("7.4", "Status codes")

GOOD = "A code that may be sent is answered, typically with the same."
for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3001, 3999, 4000, 4001, 4500, 4999):
    S.case(f"code-{code}", GOOD, close(code), answers(code))
    S.case(f"code-{code}-reason", GOOD, close(code, b"because"), answers(code))
for code in (1012, 1013, 1014):
    rule = "A code that IANA's registry has added since; RFC 6455 reserves it."
    S.case(f"code-{code}", rule, close(code), either(answers(code), non_strict(fails(1002))))
NEVER = "A code that MUST NOT be set in a close frame, or is not used."
for code in (0, 1, 2, 500, 998, 999, 1004, 1005, 1006, 1015):
    S.case(f"code-{code}", NEVER, close(code), fails(1002))
    S.case(f"code-{code}-reason", NEVER, close(code, b"because"), fails(1002))
RESERVED = "A code that is reserved for the protocol, or outside all ranges."
for code in (1016, 1017, 1099, 1100, 1999, 2000, 2001, 2500, 2998, 2999, 5000, 5001, 9999, 32767, 32768, 65534, 65535):
    S.case(f"code-{code}", RESERVED, close(code), either(fails(1002), non_strict(answers(1000))))

# ---- The connection

S = Section("7.1", "The closing handshake")

S.case(
    "server-ends-tcp",
    "Once close frames have gone both ways, the server MUST end TCP at once.",
    close(1000),
    answers(1000),
    roles=(SERVER,),
)
ALONE = "One who fails the connection does not wait for the other's close frame forever."
for name, frame in {"opcode": Frame(3), "utf8": text(b"\xff"), "code": close(1005), "continuation": cont("x")}.items():
    wrong = 1007 if name == "utf8" else 1002
    S.case(f"unanswered-{name}", ALONE, [unanswered(), frame], either(fails(wrong), non_strict(lingers(wrong))))
FAILED = "One who fails the connection MUST NOT process what comes behind."
for name, more in {
    "text": [text("late")],
    "ping": [ping(b"late")],
    "close": [close(1000)],
    "hundred": [text(str(n)) for n in range(100)],
    "another": [text(b"\xff"), Frame(11)],
}.items():
    S.case(f"failed-then-{name}", FAILED, [Frame(3), *more], fails(1002))
CROSSING = "Close frames that cross are each other's answer."
S.case("crossing", CROSSING, [unanswered(), Frame(3), closing_heard(), close(1000)], fails(1002))
S.case("crossing-empty", CROSSING, [unanswered(), Frame(3), closing_heard(), close()], fails(1002))
S.case("crossing-at-once", CROSSING, [Frame(3), close(1000)], fails(1002))

FIN = "An end of TCP without a close frame ends the connection (section 7.1.5)."
for name, before, after in (
    ("at-once", [], []),
    ("behind-message", [text("a"), heard("a")], ["a"]),
    ("behind-ping", [ping(b"x"), ponged(b"x")], []),
    ("inside-header", [b"\x82"], []),
    ("inside-mask", [split(b"\x82\xfe\x01\x00\x01\x02")], []),
    ("inside-payload", [text("Hello", announce=10)], []),
    ("inside-message", [text("a", fin=False)], []),
    ("inside-ping", [ping(b"abc", announce=5)], []),
    ("inside-close", [close(announce=2)], []),
):
    S.case(f"fin-{name}", FIN, [*before, fin()], ends(after=after))
S.case("fin-behind-close", "A client may end its side of TCP right behind its close frame.", [close(1000), fin()], answers(1000))
S.case("fin-instead-of-answer", "An end of TCP instead of an answer to a close frame.", [unanswered(), Frame(3), fin()], fails(1002))
