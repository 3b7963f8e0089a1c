"""UTF-8 in text messages (RFC 6455 section 8.1, RFC 3629)."""

from cases import Section
from outcomes import echoes, fails
from script import otherwise, ponged, split
from wire import TEXT, cont, cut, fragments, letters, ping, text

S = Section("8.1", "UTF-8")

# ---- Valid

VALID = "Text that is UTF-8 comes back as it was."
BOUNDARIES = (0x00, 0x01, 0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0x1000, 0xCFFF, 0xD000, 0xD7FF, 0xE000, 0xFDD0, 0xFEFF)
BOUNDARIES += (0xFFFD, 0xFFFE, 0xFFFF, 0x10000, 0x1FFFE, 0x3FFFF, 0x40000, 0xFFFFF, 0x100000, 0x10FFFE, 0x10FFFF)
for point in BOUNDARIES:
    letter = chr(point).encode("utf-8")
    S.case(f"u+{point:04x}", VALID, text(letter), echoes())
    S.case(f"u+{point:04x}-between", VALID, text(b"a" + letter + b"z"), echoes())
    if len(letter) > 1:
        S.case(f"u+{point:04x}-fragments", VALID, fragments(TEXT, *cut(b"a" + letter + b"z", 1)), echoes())
MIXED = "κόσμε, Grüße, 日本語, 😀🏳️\u200d🌈, e\u0301, \u0000\ufeff\U0010ffff"
S.case("mixed", VALID, text(MIXED), echoes())
S.case("mixed-byte-by-byte", VALID, split(text(MIXED), every=1), echoes())
S.case("mixed-fragments-of-1", VALID, fragments(TEXT, *cut(MIXED.encode(), 1)), echoes())
S.case("mixed-long", VALID, text(MIXED * 2000), echoes())
S.case("mixed-long-fragments", VALID, fragments(TEXT, *cut((MIXED * 200).encode(), 61)), echoes())
for at in range(1, len("aé€😀z".encode())):
    whole = "aé€😀z".encode()
    S.case(f"fragments-cut-at-{at}", VALID, fragments(TEXT, whole[:at], whole[at:]), echoes())
    S.case(f"tcp-cut-at-{at}", VALID, split(text(whole), at=[6 + at]), echoes())
OPEN = "A letter may be finished by the next fragment; control frames between do not matter."
for name, (begin, rest) in {"2": (b"\xc3", b"\xa9"), "3": (b"\xe2\x82", b"\xac"), "4": (b"\xf0\x9f", b"\x98\x80")}.items():
    parts = [text(b"a" + begin, fin=False), ping(b"\xff"), ponged(b"\xff"), cont("", fin=False), cont(rest + b"z")]
    S.case(f"{name}-bytes-around-ping", OPEN, parts, echoes())
S.case("binary-is-not-text", "Only text is UTF-8.", fragments(2, b"\xff\xc0", b"\x80\xed\xa0"), echoes())

# ---- Invalid

INVALID = "Text that is not UTF-8 fails the connection."
SEQUENCES = {
    "lone-continuation": ("80", "bf", "8080", "80bf80bf"),
    "no-letter": ("c0", "c1", "f5", "f8", "fb", "fc", "fe", "ff", "feff", "fffe"),
    "overlong": ("c080", "c0af", "c1bf", "e08080", "e080af", "e09fbf", "f0808080", "f08080af", "f08fbfbf"),
    "five-or-six": ("f888808080", "fbbfbfbfbf", "fc8480808080", "fdbfbfbfbfbf"),
    "surrogate": ("eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf", "eda080edb080", "edafbfedbfbf"),
    "too-high": ("f4908080", "f48fbfc0", "f5808080", "f7bfbfbf"),
    "interrupted": ("c241", "c2c2a9", "e28241", "e241", "e2e282ac", "f09f9841", "f09f41", "f041", "f0c3a9"),
}
for kind, sequences in SEQUENCES.items():
    for sequence in sequences:
        bad = bytes.fromhex(sequence)
        S.case(f"{kind}-{sequence}", INVALID, text(bad), fails(1007))
        S.case(f"{kind}-{sequence}-between", INVALID, text("good € ".encode() + bad + b" good"), fails(1007))
        S.case(f"{kind}-{sequence}-fragments", INVALID, fragments(TEXT, *cut(b"ok" + bad + b"ok", 1)), fails(1007))
CUT_OFF = "A letter that is not finished when the message ends is not UTF-8."
for sequence in ("c3", "e2", "e282", "f0", "f09f", "f09f98"):
    bad = bytes.fromhex(sequence)
    S.case(f"cut-off-{sequence}", CUT_OFF, text(bad), fails(1007))
    S.case(f"cut-off-{sequence}-behind", CUT_OFF, text(b"good " + bad), fails(1007))
    S.case(f"cut-off-{sequence}-fragments", CUT_OFF, fragments(TEXT, b"good", bad), fails(1007))
    S.case(f"cut-off-{sequence}-empty-last", CUT_OFF, fragments(TEXT, b"good" + bad, b""), fails(1007))
    S.case(f"cut-off-{sequence}-then-next", CUT_OFF, [text(bad), text(b"\xa9")], fails(1007))
for place in (15, 16, 31, 32, 63, 64, 127, 128, 1000, 65535, 65536):
    bad = letters(place) + b"\xff" + letters(50)
    S.case(f"at-{place}", "Wherever it stands.", text(bad), fails(1007))
    S.case(f"cut-off-at-{place}", CUT_OFF, text(letters(place) + b"\xe2\x82"), fails(1007))

# ---- At once

SOON = "What no continuation can mend is seen at once: in the fragment, or the part of a frame, that breaks it."
REST = letters(90)
for sequence in ("ff", "80", "c0", "c1", "f5", "e080", "e09f", "eda0", "f080", "f08f", "f490", "c241", "e28241", "f09f9841"):
    bad = b"good " + bytes.fromhex(sequence)
    S.case(f"at-once-{sequence}-fragment", SOON, [text(bad, fin=False), otherwise(cont(REST))], fails(1007))
    whole = text(bad, announce=len(bad) + len(REST))
    # The mask of the rest goes on where the payload so far has stopped; the rest is only letters, whatever they become.
    S.case(f"at-once-{sequence}-frame", SOON, [whole, otherwise(REST)], fails(1007))
S.case("at-once-after-ping", SOON, [text(b"a\xc0", fin=False), ping(b"?"), otherwise(cont(b"z"))], fails(1007))
