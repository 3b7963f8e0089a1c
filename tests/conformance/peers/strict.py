"""strict.py - an echo server to the letter of RFC 6455 and RFC 7692, made to be broken: each rule is a method of its own, so
that a mutant (mutants.py) overrides one. It shares nothing with the judge.

Alone: strict.py PORT [MUTANT], which says "listening PORT".
"""

import asyncio
import base64
import binascii
import codecs
import hashlib
import re
import struct
import sys
import zlib

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Refused(Exception):
    """The handshake is answered by this status."""


class Failed(Exception):
    """The connection fails with this code."""


class Ended(Exception):
    """Both close frames have passed."""


def words(values):
    return [word.strip(" \t").lower() for value in values for word in value.split(",") if word.strip(" \t")]


class Echo(asyncio.Protocol):
    """One connection. What comes is read by a generator, which yields when it needs more."""

    limit = 4 << 20
    deflate = inflater = deflater = None
    server_bits = client_bits = 15
    server_keeps = client_keeps = True

    # ---- The transport

    def connection_made(self, transport):
        self.transport = transport
        self.buffer = bytearray()
        self.over = False
        self.close_sent = False
        self.reading = self.run()
        next(self.reading)

    def data_received(self, data):
        if self.over:
            return
        self.buffer += data
        try:
            next(self.reading)
        except StopIteration:
            self.over = True
            self.end_transport()

    def end_transport(self):
        self.transport.close()

    def need(self, count):
        while len(self.buffer) < count:
            yield

    def take(self, count):
        yield from self.need(count)
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def run(self):
        try:
            yield from self.handshake()
        except Refused as refusal:
            self.transport.write(self.refusal(refusal.args[0]))
            return
        try:
            while True:
                yield from self.frame()
        except Failed as failure:
            self.fail(*failure.args)
        except Ended:
            pass

    def refusal(self, status):
        lines = [f"HTTP/1.1 {status} Refused", "Content-Length: 0", "Connection: close", "Sec-WebSocket-Version: 13"]
        return "\r\n".join([*lines, "", ""]).encode()

    # ---- The opening handshake (RFC 6455 section 4.2)

    def handshake(self):
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > 65536:
                raise Refused(431)
            yield
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        self.buffer[:] = rest
        self.parse_head(head.decode("latin-1").removeprefix("\r\n"))
        self.check_request()
        self.transport.write(self.answer().encode("latin-1"))
        self.fragments = None

    def parse_head(self, head):
        line, *lines = head.split("\r\n")
        parts = line.split(" ")
        if len(parts) != 3 or not parts[1]:
            raise Refused(400)
        self.method, self.target, self.version = parts
        self.fields = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not TOKEN.fullmatch(name) or re.search(r"[\0-\x08\x0a-\x1f\x7f]", value):
                raise Refused(400)
            self.fields.setdefault(name.lower(), []).append(value.strip(" \t"))

    def values(self, name):
        return self.fields.get(name, [])

    def check_request(self):
        self.check_method()
        self.check_http()
        self.check_host()
        self.check_upgrade()
        self.check_connection()
        self.check_version()
        self.check_key()
        self.check_protocols()

    def check_method(self):
        if self.method != "GET":
            raise Refused(405)

    def check_http(self):
        if self.version != "HTTP/1.1":
            raise Refused(505)

    def check_host(self):
        if len(self.values("host")) != 1:
            raise Refused(400)

    def check_upgrade(self):
        if "websocket" not in words(self.values("upgrade")):
            raise Refused(426)

    def check_connection(self):
        if "upgrade" not in words(self.values("connection")):
            raise Refused(400)

    def check_version(self):
        if self.values("sec-websocket-version") != ["13"]:
            raise Refused(426)

    def check_key(self):
        keys = self.values("sec-websocket-key")
        try:
            if len(keys) != 1 or len(base64.b64decode(keys[0].encode(), validate=True)) != 16 or len(keys[0]) != 24:
                raise Refused(400)
        except (binascii.Error, UnicodeEncodeError):
            raise Refused(400) from None

    def check_protocols(self):
        names = [name.strip() for value in self.values("sec-websocket-protocol") for name in value.split(",")]
        if not all(TOKEN.fullmatch(name) for name in names):
            raise Refused(400)
        self.protocol = names[0] if names else None

    def accept(self):
        return base64.b64encode(hashlib.sha1(self.values("sec-websocket-key")[0].encode() + GUID).digest()).decode()

    def answer(self):
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines.append(f"Sec-WebSocket-Accept: {self.accept()}")
        if self.protocol:
            lines.append(f"Sec-WebSocket-Protocol: {self.protocol}")
        agreed = self.negotiate()
        if agreed:
            lines.append(f"Sec-WebSocket-Extensions: {agreed}")
        return "\r\n".join([*lines, "", ""])

    # ---- Extensions (RFC 6455 section 9.1, RFC 7692 section 7.1)

    def offers(self):
        """[(name, [(parameter, value or None)])], or 400."""
        text = ",".join(self.values("sec-websocket-extensions"))
        at = 0
        found = []

        def space():
            nonlocal at
            while at < len(text) and text[at] in " \t":
                at += 1

        def token():
            nonlocal at
            space()
            match = TOKEN.match(text, at)
            if not match:
                raise Refused(400)
            at = match.end()
            space()
            return match[0]

        def skip(letter):
            nonlocal at
            space()
            if text[at : at + 1] != letter:
                return False
            at += 1
            space()
            return True

        def value():
            nonlocal at
            match = QUOTED.match(text, at)
            if not match:
                return token()
            at = match.end()
            inner = re.sub(r"\\(.)", r"\1", match[1])
            if not TOKEN.fullmatch(inner):
                raise Refused(400)
            return inner

        while at < len(text):
            if skip(","):
                continue
            name, parameters = token(), []
            while skip(";"):
                key = token()
                parameters.append((key, value() if skip("=") else None))
            space()
            if at < len(text) and text[at] != ",":
                raise Refused(400)
            found.append((name, parameters))
        return found

    def negotiate(self):
        agreed = None
        for name, parameters in self.offers():
            if name == "permessage-deflate" and not agreed and self.suits(parameters):
                agreed = self.agree(dict(parameters))
        return agreed

    def suits(self, parameters):
        given = dict(parameters)
        if len(given) != len(parameters):
            return False
        for name, value in parameters:
            if name in ("server_no_context_takeover", "client_no_context_takeover"):
                good = value is None
            elif name in ("server_max_window_bits", "client_max_window_bits"):
                good = bool(value and re.fullmatch("[89]|1[0-5]", value)) or (name[0] == "c" and value is None)
            else:
                good = False
            if not good:
                return False
        return True

    def agree(self, given):
        """Takes what is offered. zlib has no window of 8 bits, but with 9 it looks back 250 bytes at most."""
        self.server_bits = int(given.get("server_max_window_bits", 15))
        self.client_bits = int(given.get("client_max_window_bits") or 15)
        self.server_keeps = "server_no_context_takeover" not in given
        self.client_keeps = "client_no_context_takeover" not in given
        self.deflate = True
        names = [name for name in ("server_no_context_takeover", "client_no_context_takeover") if name in given]
        names += [f"server_max_window_bits={self.server_bits}"] * ("server_max_window_bits" in given)
        names += [f"client_max_window_bits={self.client_bits}"] * ("client_max_window_bits" in given)
        return "; ".join(["permessage-deflate", *names])

    # ---- Frames (RFC 6455 sections 5.2 to 5.5)

    def frame(self):
        first = (yield from self.take(1))[0]
        fin, rsv, opcode = first & 0x80 != 0, first >> 4 & 7, first & 15
        self.check_opcode(opcode)
        self.check_rsv(rsv, opcode)
        if opcode >= 8:
            self.check_control_final(fin)
        else:
            self.check_order(opcode)
        second = (yield from self.take(1))[0]
        self.check_masked(second & 0x80 != 0)
        if opcode >= 8:
            self.check_control_length(second & 0x7F)
        length = yield from self.length(second & 0x7F)
        key = (yield from self.take(4)) if second & 0x80 else bytes(4)
        if opcode >= 8:
            self.control(opcode, self.unmask((yield from self.take(length)), key, 0))
        else:
            yield from self.data(opcode, fin, rsv, length, key)

    def check_opcode(self, opcode):
        if opcode not in (0, 1, 2, 8, 9, 10):
            raise Failed(1002)

    def check_rsv(self, rsv, opcode):
        if rsv and not (rsv == 4 and self.deflate and opcode in (1, 2)):
            raise Failed(1002)

    def check_control_final(self, fin):
        if not fin:
            raise Failed(1002)

    def check_order(self, opcode):
        if (opcode == 0) != (self.fragments is not None):
            raise Failed(1002)

    def check_masked(self, masked):
        if not masked:
            raise Failed(1002)

    def check_control_length(self, length):
        if length > 125:
            raise Failed(1002)

    def length(self, short):
        if short < 126:
            return short
        if short == 126:
            length = struct.unpack(">H", (yield from self.take(2)))[0]
        else:
            length = struct.unpack(">Q", (yield from self.take(8)))[0]
        self.check_length(length, short)
        return length

    def check_length(self, length, short):
        if length >> 63 or length < (126 if short == 126 else 65536):
            raise Failed(1002)

    def unmask(self, data, key, offset):
        if not data:
            return b""
        turned = key[offset % 4 :] + key[: offset % 4]
        mask = (turned * (len(data) // 4 + 1))[: len(data)]
        return (int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(data), "big")

    # ---- Messages

    def data(self, opcode, fin, rsv, length, key):
        if opcode:
            self.begin(opcode, rsv == 4)
        if self.size + length > self.limit:
            raise Failed(1009)
        self.size += length
        done = 0
        while done < length:
            yield from self.need(1)
            part = yield from self.take(min(len(self.buffer), length - done))
            self.part(self.unmask(part, key, done))
            done += len(part)
        if fin:
            self.finish()

    def begin(self, opcode, compressed):
        self.opcode, self.compressed = opcode, compressed
        self.fragments = []
        self.size = 0
        self.text = codecs.getincrementaldecoder("utf-8")("strict") if opcode == 1 else None

    def part(self, data):
        if self.text and not self.compressed:
            self.check_text(data, False)
        self.fragments.append(data)

    def check_text(self, data, last):
        """Python's decoder sees a surrogate (ED A0 to ED BF) only with its third byte."""
        try:
            self.text.decode(data, last)
        except UnicodeDecodeError:
            raise Failed(1007) from None
        begun = self.text.getstate()[0]
        if begun[:1] == b"\xed" and begun[1:2] >= b"\xa0":
            raise Failed(1007)

    def finish(self):
        payload = b"".join(self.fragments)
        if self.compressed:
            payload = self.inflate(payload)
        if self.text:
            self.check_text(payload if self.compressed else b"", True)
        self.fragments = None
        self.message(self.opcode, payload)

    def message(self, opcode, payload):
        if self.deflate:
            self.send(opcode, self.deflated(payload), rsv=4)
        else:
            self.send(opcode, payload)

    # ---- Compression (RFC 7692 section 7.2)

    def inflate(self, data):
        if self.inflater is None or not self.client_keeps:
            self.inflater = zlib.decompressobj(-self.client_bits)
        rest = data + b"\x00\x00\xff\xff"
        out = []
        size = 0
        try:
            while rest:
                out.append(self.inflater.decompress(rest, self.limit + 1 - size))
                size += len(out[-1])
                self.check_inflated(size)
                rest = self.inflater.unconsumed_tail or self.inflater.unused_data
                if self.inflater.eof:
                    self.inflater = zlib.decompressobj(-self.client_bits, b"".join(out)[-32768:])
        except zlib.error:
            raise Failed(1007) from None
        self.check_whole()
        return b"".join(out)

    def check_inflated(self, size):
        if size > self.limit:
            raise Failed(1009)

    def check_whole(self):
        """A message has to end at the end of a block: only then is a further block taken, on a copy."""
        try:
            if self.inflater.copy().decompress(b"\x01\x00\x00\xff\xff") or not self.ended():
                raise Failed(1007)
        except zlib.error:
            raise Failed(1007) from None

    def ended(self):
        probe = self.inflater.copy()
        probe.decompress(b"\x01\x00\x00\xff\xff")
        return probe.eof

    def deflated(self, payload):
        if self.deflater is None or not self.server_keeps:
            self.deflater = zlib.compressobj(6, zlib.DEFLATED, -max(self.server_bits, 9))
        return (self.deflater.compress(payload) + self.deflater.flush(zlib.Z_SYNC_FLUSH))[:-4] or b"\0"

    # ---- Control frames, and what goes out

    def control(self, opcode, payload):
        if opcode == 9:
            self.ping(payload)
        elif opcode == 8:
            self.closing(payload)

    def ping(self, payload):
        self.send(10, payload)

    def closing(self, payload):
        self.check_close(payload)
        self.close(payload[:2])
        raise Ended

    def check_close(self, payload):
        if len(payload) == 1:
            raise Failed(1002)
        if payload:
            self.check_code(struct.unpack(">H", payload[:2])[0])
            self.check_reason(payload[2:])

    def check_code(self, code):
        if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
            raise Failed(1002)

    def check_reason(self, reason):
        try:
            reason.decode("utf-8")
        except UnicodeDecodeError:
            raise Failed(1007) from None

    def fail(self, code):
        self.close(struct.pack(">H", code))

    def close(self, payload):
        self.close_sent = True
        self.send(8, payload)

    def header(self, first, length):
        if length < 126:
            return bytes([first, length])
        if length < 65536:
            return struct.pack(">BBH", first, 126, length)
        return struct.pack(">BBQ", first, 127, length)

    def send(self, opcode, payload, rsv=0):
        self.transport.write(self.header(0x80 | rsv << 4 | opcode, len(payload)) + payload)


async def serve(kind, port=0):
    return await asyncio.get_running_loop().create_server(kind, "127.0.0.1", port)


async def main():
    kind = Echo
    if len(sys.argv) > 2:
        from mutants import MUTANTS

        kind = MUTANTS[sys.argv[2]].kind
    server = await serve(kind, int(sys.argv[1]))
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
