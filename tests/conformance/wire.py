"""wire.py - the bytes of RFC 6455 and RFC 7692: frames to send, right and wrong ones; extension lists; nothing of sockets.

A Frame is what a case sends. It is masked as the judge's role demands, unless the case says otherwise:

    text("Hello")                            a text frame, final, masked when the judge is the client
    text(b"Hel", fin=False), cont(b"lo")     two fragments
    Frame(3, b"x", rsv=4)                    anything at all
    binary(b"", announce=1 << 63)            a frame whose length lies
    binary(b"x" * 5, form=64)                ... or is written longer than it need be (form: 7, 16 or 64 bits)
    ping(b"x", mask=None)                    unmasked, whatever the role
    ping(b"x", mask=WRONG)                   masked as the role demands not
"""

import base64
import dataclasses
import hashlib
import random
import struct

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NAMES = {CONT: "continuation", TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}
RSV1, RSV2, RSV3 = 4, 2, 1
ROLE, WRONG = "as the role demands", "against the role"
MASK = b"\x37\xfa\x21\x3d"

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_of(key):
    """RFC 6455 section 4.2.2, 5.4."""
    return base64.b64encode(hashlib.sha1((key + GUID).encode("latin-1")).digest()).decode()


def masked(payload, key):
    """RFC 6455 section 5.3, by arithmetic on one long number: 64 MiB take a moment."""
    if not any(key) or not payload:
        return bytes(payload)
    repeated = (key * (len(payload) // 4 + 1))[: len(payload)]
    number = int.from_bytes(payload, "little") ^ int.from_bytes(repeated, "little")
    return number.to_bytes(len(payload), "little")


def header(first, bit, length, form=None):
    """The head of a frame up to the mask: `first` is its first byte, `bit` 0x80 when a mask follows."""
    form = form or (7 if length < 126 else 16 if length < 65536 else 64)
    if form == 7:
        return bytes([first, bit | length])
    if form == 16:
        return bytes([first, bit | 126]) + struct.pack(">H", length)
    return bytes([first, bit | 127]) + struct.pack(">Q", length)


@dataclasses.dataclass(frozen=True)
class Frame:
    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    mask: object = ROLE  # or WRONG, None, four bytes
    announce: int = None  # the length in the header, where it is not the payload's
    form: int = None  # how many bits the length is written in

    def encode(self, masking):
        """`masking`: does this role mask?"""
        key = self.mask
        if self.mask in (ROLE, WRONG):
            key = MASK if masking == (self.mask == ROLE) else None
        length = len(self.payload) if self.announce is None else self.announce
        first = (0x80 if self.fin else 0) | self.rsv << 4 | self.opcode
        head = header(first, 0x80 if key else 0, length, self.form)
        return head + key + masked(self.payload, key) if key else head + self.payload

    def __str__(self):
        words = [NAMES.get(self.opcode, f"opcode {self.opcode}"), shown(self.payload)]
        words += [] if self.fin else ["not final"]
        words += [f"RSV {self.rsv:03b}"] if self.rsv else []
        words += [] if self.mask == ROLE else [f"mask {self.mask.hex() if type(self.mask) is bytes else self.mask}"]
        words += [f"length {self.announce:#x}"] if self.announce is not None else []
        words += [f"in {self.form} bits"] if self.form else []
        return " ".join(words)


def shown(data, most=24):
    """Bytes for people: as text where they are text, else in hexadecimal; the beginning of what is long."""
    beginning = bytes(data[:most])
    lines = beginning.replace(b"\r\n", b"").decode("latin-1")
    readable = lines.isascii() and (lines.isprintable() or not lines)
    written = '"' + beginning.decode().replace("\r\n", "\\r\\n") + '"' if readable else beginning.hex(" ")
    return written if len(data) <= most else f"{written}... ({len(data)} bytes)"


def as_bytes(payload):
    return payload.encode() if isinstance(payload, str) else bytes(payload)


def text(payload="", **how):
    return Frame(TEXT, as_bytes(payload), **how)


def binary(payload=b"", **how):
    return Frame(BINARY, as_bytes(payload), **how)


def cont(payload=b"", **how):
    return Frame(CONT, as_bytes(payload), **how)


def ping(payload=b"", **how):
    return Frame(PING, as_bytes(payload), **how)


def pong(payload=b"", **how):
    return Frame(PONG, as_bytes(payload), **how)


def close(code=None, reason=b"", **how):
    return Frame(CLOSE, (b"" if code is None else struct.pack(">H", code)) + as_bytes(reason), **how)


def fragments(opcode, *parts, **how):
    """One message in as many frames as there are parts."""
    last = len(parts) - 1
    return [Frame(opcode if n == 0 else CONT, as_bytes(part), fin=n == last, **how) for n, part in enumerate(parts)]


def cut(payload, size):
    """The payload in pieces of that size; one empty piece when it is empty."""
    return [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]


# ---- Lists of extensions (RFC 6455 section 9.1)


def extensions(value):
    """A well-formed list: [(name, [(parameter, value or None)...])...]."""
    found = []
    for element in value.split(","):
        name, *rest = [part.strip() for part in element.split(";")]
        parameters = []
        for parameter in rest:
            key, equals, given = parameter.partition("=")
            parameters.append((key.strip(), given.strip().strip('"') if equals else None))
        if name:
            found.append((name, parameters))
    return found


def letters(count):
    return (b"abcdefghijklmnopqrstuvwxyz0123456789" * (count // 36 + 1))[:count]


def octets(count):
    return (bytes(range(256)) * (count // 256 + 1))[:count]


def noise(count, seed=1):
    """Bytes that do not compress; the same ones each time."""
    return random.Random(seed).randbytes(count)
