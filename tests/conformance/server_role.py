"""server_role.py - a server is judged: the judge is its client, at a URL that echoes messages."""

import asyncio
import socket
import urllib.parse

from heads import Head, bits_of, faults_of_answer, request
from link import Deflate, Link
from play import finish
from script import Raw
from tls import relayed, towards_server
from wire import extensions, text


class ServerRole:
    name = "server"
    ends_tcp = False  # the server does (RFC 6455 section 7.1.1)

    def __init__(self, url, patience):
        parts = urllib.parse.urlsplit(url)
        self.secure = parts.scheme == "wss"
        self.host, self.port = parts.hostname, parts.port or (443 if self.secure else 80)
        self.authority = parts.netloc
        self.target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.patience = patience

    async def end(self):
        pass

    async def connect(self):
        connected = await asyncio.wait_for(self._connect(), self.patience)
        relay = None
        if self.secure:
            connected, relay = relayed(connected, towards_server(self.host))
        link = Link(connected, True, self.patience)
        link.relay = relay
        link.fill_in = {b"{target}": self.target.encode(), b"{host}": self.authority.encode()}
        return link

    async def _connect(self):
        loop = asyncio.get_running_loop()
        family, kind, protocol, _, address = (await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM))[0]
        connected = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        try:
            await loop.sock_connect(connected, address)
        except BaseException:
            connected.close()
            raise
        return connected

    async def play(self, case, script):
        link = await self.connect()
        try:
            if case.outcome.handshake:
                await self._shake_hands(link, script)
            else:
                await self._open(link, case)
                if link.listener:
                    await script.act(link)
            await finish(self, case, link)
            return link.seen
        finally:
            await link.done()

    async def _shake_hands(self, link, script):
        """The script is the request."""
        await script.act(link)
        sent = b"".join(part for step in script.steps if isinstance(step, Raw) for part in step.parts if type(part) is bytes)
        answer = await self._answer(link, Head(sent.partition(b"\r\n\r\n")[0]))
        if link.seen.status == 101:
            self._note_deflate(link, answer)
            link.listen()
            await link.send(link.encode([text("hello?")]))

    async def _open(self, link, case):
        """The usual handshake, before the script."""
        fields = {"Sec_WebSocket_Extensions": case.offer} if case.offer else {}
        asked = request(more=case.more, **fields)
        await link.send(link.encode([asked]))
        answer = await self._answer(link, Head(asked))
        if link.seen.status != 101:
            link.seen.violations.append(f"the handshake was not accepted: {link.seen.status}")
            return
        link.seen.status = None
        self._note_deflate(link, answer)
        if case.offer and not link.deflate:
            link.seen.declined = f"the offer {case.offer}"
        else:
            link.listen()

    async def _answer(self, link, asked):
        """Reads the head of the answer; None when none came."""
        try:
            while b"\r\n\r\n" not in link.buffer:
                if not await link.fill(self.patience):
                    return None
        except TimeoutError:
            return None
        raw, _, rest = bytes(link.buffer).partition(b"\r\n\r\n")
        link.buffer[:] = rest
        head = Head(raw)
        version, _, status = head.line.partition(" ")
        if not version.startswith("HTTP/1.") or not status[:3].isdigit():
            link.seen.violations.append(f"no answer of HTTP: {head.line[:60]!r}")
            return None
        link.seen.status = int(status[:3])
        link.seen.fields = [name for name, _ in head.fields]
        if link.seen.status == 101:
            link.seen.subprotocol = head.field("Sec-WebSocket-Protocol")
            link.seen.violations += faults_of_answer(asked, head)
        return head

    def _note_deflate(self, link, answer):
        agreed = extensions(answer.field("Sec-WebSocket-Extensions") or "")
        if not agreed:
            return
        given = dict(agreed[0][1])
        link.deflate = Deflate(
            own_bits=bits_of(given.get("client_max_window_bits")) or 15,
            own_takeover="client_no_context_takeover" not in given,
            peer_bits=bits_of(given.get("server_max_window_bits")) or 15,
            peer_takeover="server_no_context_takeover" not in given,
        )
