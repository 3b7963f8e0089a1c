"""strict_client.py - an echo client to the letter of RFC 6455 and RFC 7692, made to be broken as strict.py is: its frames are those
of that server's, and the rest a method for each rule."""

import asyncio
import base64
import hashlib
import os
import re
import urllib.parse

from strict import GUID, TOKEN, Echo, Failed, Refused, words

BITS = re.compile("[89]|1[0-5]")


class Client(Echo):
    """One connection. Of the server that it inherits from, `client_bits` and `client_keeps` are here what the peer's compressor
    does, `server_bits` and `server_keeps` what its own does."""

    limit = 4 << 20

    def __init__(self, url, offer=None, subprotocols=()):
        parts = urllib.parse.urlsplit(url)
        self.host = parts.netloc
        self.target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        self.offer, self.subprotocols = offer, subprotocols
        self.gone = asyncio.get_running_loop().create_future()
        self.ended_well = False

    # ---- The transport

    def connection_lost(self, error):
        if not self.gone.done():
            self.gone.set_result(None)

    def closing(self, payload):
        self.ended_well = True
        super().closing(payload)

    def end_transport(self):
        """Behind two close frames it is the server that ends TCP first (RFC 6455 section 7.1.1)."""
        if not self.ended_well:
            self.transport.close()

    def refusal(self, status):
        return b""

    # ---- The request (RFC 6455 section 4.1)

    def nonce(self):
        return os.urandom(16)

    def line(self):
        return f"GET {self.target} HTTP/1.1"

    def request(self):
        self.key = base64.b64encode(self.nonce()).decode()
        lines = [self.line(), f"Host: {self.host}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {self.key}", "Sec-WebSocket-Version: 13"]
        lines += [f"Sec-WebSocket-Protocol: {', '.join(self.subprotocols)}"] * bool(self.subprotocols)
        lines += [f"Sec-WebSocket-Extensions: {self.offer}"] * bool(self.offer)
        return "\r\n".join([*lines, "", ""])

    # ---- The answer

    def handshake(self):
        self.transport.write(self.request().encode("latin-1"))
        self.status = 100
        while self.status != 101 and self.status < 200:
            yield from self.head()
        self.check_status()
        self.check_upgrade()
        self.check_connection()
        self.check_accept()
        self.check_protocol()
        self.check_extensions()
        self.fragments = None

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > 65536:
                raise Refused(431)
            yield
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        self.buffer[:] = rest
        self.parse_head(head.decode("latin-1"))

    def parse_head(self, head):
        line, *lines = head.split("\r\n")
        status = re.fullmatch(r"HTTP/1\.1 (\d\d\d)( .*)?", line)
        if not status:
            raise Refused(400)
        self.status = int(status[1])
        self.fields = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not TOKEN.fullmatch(name) or re.search(r"[\0-\x08\x0a-\x1f\x7f]", value):
                if line[:1] not in (" ", "\t") or not self.fields:
                    raise Refused(400)
                self.fold(line)
                continue
            self.fields.setdefault(name.lower(), []).append(value.strip(" \t"))

    def fold(self, line):
        """RFC 9112 section 5.2."""
        last = list(self.fields.values())[-1]
        last[-1] = f"{last[-1]} {line.strip(' 	')}".strip()

    def check_status(self):
        if self.status != 101:
            raise Refused(400)

    def check_upgrade(self):
        if [value.lower() for value in self.values("upgrade")] != ["websocket"]:
            raise Refused(400)

    def check_connection(self):
        if "upgrade" not in words(self.values("connection")):
            raise Refused(400)

    def accept(self):
        return base64.b64encode(hashlib.sha1(self.key.encode() + GUID).digest()).decode()

    def check_accept(self):
        if self.values("sec-websocket-accept") != [self.accept()]:
            raise Refused(400)

    def check_protocol(self):
        chosen = self.values("sec-websocket-protocol")
        if len(chosen) > 1 or any(name not in self.subprotocols for name in chosen):
            raise Refused(400)

    # ---- Extensions (RFC 6455 section 9.1, RFC 7692 section 7.1)

    def check_extensions(self):
        if len(self.values("sec-websocket-extensions")) > 1:
            raise Refused(400)
        named = self.offers()
        if len(named) > 1 or (named and named[0][0] != "permessage-deflate") or (named and not self.offer):
            raise Refused(400)
        for _, parameters in named:
            if not self.suits(parameters) or not self.keeps_to_the_offer(dict(parameters)):
                raise Refused(400)
            self.agree(dict(parameters))

    def suits(self, parameters):
        if any(name == "client_max_window_bits" and value is None for name, value in parameters):
            return False
        return super().suits(parameters)

    def asked(self):
        """What it has offered, {parameter: value or None}."""
        parts = [part.strip().partition("=") for part in self.offer.split(";")[1:]]
        return {name: value or None for name, _, value in parts}

    def keeps_to_the_offer(self, given):
        asked = self.asked()
        if "server_no_context_takeover" in asked and "server_no_context_takeover" not in given:
            return False
        if "server_max_window_bits" in asked and not self.within(asked, given, "server_max_window_bits"):
            return False
        return "client_max_window_bits" not in given or self.within(asked, given, "client_max_window_bits")

    def within(self, asked, given, name):
        return name in asked and name in given and int(given[name]) <= int(asked[name] or 15)

    def agree(self, given):
        self.client_bits = int(given.get("server_max_window_bits", 15))
        self.server_bits = int(given.get("client_max_window_bits", 15))
        self.client_keeps = "server_no_context_takeover" not in given
        self.server_keeps = "client_no_context_takeover" not in given
        self.deflate = True

    # ---- Masks (RFC 6455 sections 5.1 and 5.3)

    def check_masked(self, masked):
        if masked:
            raise Failed(1002)

    def mask_key(self, opcode):
        return os.urandom(4)

    def send(self, opcode, payload, rsv=0):
        key = self.mask_key(opcode)
        head = bytearray(self.header(0x80 | rsv << 4 | opcode, len(payload)))
        if key is None:
            self.transport.write(bytes(head) + payload)
            return
        head[1] |= 0x80
        self.transport.write(bytes(head) + key + self.masked(payload, key))

    def masked(self, payload, key):
        return self.unmask(payload, key, 0)


class Visitor:
    """Such a client as client_role.py wants it: within the judge's process."""

    def __init__(self, kind):
        self.kind = kind
        self.client = None

    async def visit(self, url, given):
        options = dict(word.split("=", 1) for word in given)
        subprotocols = options["subprotocols"].split(",") if "subprotocols" in options else []
        parts = urllib.parse.urlsplit(url)
        loop = asyncio.get_running_loop()
        connect = loop.create_connection(lambda: self.kind(url, options.get("offer"), subprotocols), parts.hostname, parts.port)
        _, self.client = await connect
        await self.client.gone

    async def end(self):
        if self.client:
            self.client.transport.abort()
