"""client_role.py - a client is judged: the judge is the server that it connects to.

The client is a command, run several times side by side. It reads lines,

    ws://127.0.0.1:4711/17 offer=permessage-deflate;client_max_window_bits subprotocols=chat,superchat

and for each of them connects to that URL, sends every message back that it receives, does nothing else by itself, and says in
one line (any) that the connection is over, or that there was none; then it reads the next. It ends with its input. Behind
the URL stands what to offer, a word each, where the case asks for it; a client without such options lets that be, and the
case is declined.

A command with {url} in its arguments is started anew for each connection, and ends with it."""

import asyncio
import socket

from answers import answer, faults_of_request, fill_in
from heads import Head, answers_offer, bits_of
from link import Deflate, Link
from outcomes import Transcript
from play import finish
from tls import relayed, towards_client
from wire import extensions, text

OFFER = "permessage-deflate; client_max_window_bits"
PATIENT = 4  # times the patience, until a command has started


class LineCommand:
    """A process that is told its URLs by lines."""

    def __init__(self, command):
        self.command = command
        self.process = None

    async def visit(self, url, words):
        """Returns when it says that the connection is over: None, or what went wrong."""
        if not self.process:
            pipe = asyncio.subprocess.PIPE
            self.process = await asyncio.create_subprocess_exec(*self.command, stdin=pipe, stdout=pipe)
        self.process.stdin.write(" ".join([url, *words]).encode() + b"\n")
        if await self.process.stdout.readline():
            return None
        status, self.process = await self.process.wait(), None
        return f"the client has ended ({status})"

    async def end(self):
        """Ends it: by the end of its input, or else by force."""
        if not self.process:
            return
        process, self.process = self.process, None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 1)
        except TimeoutError:
            process.kill()
            await process.wait()


class SingleCommand:
    """A process for each connection."""

    def __init__(self, command):
        self.command = command
        self.process = None

    async def visit(self, url, _):
        words = [word.replace("{url}", url) for word in self.command]
        pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL  # its input does not end, which might end it
        self.process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=none)
        status, self.process = await self.process.wait(), None
        return f"the client was killed by signal {-status}" if status < 0 else None

    async def end(self):
        if self.process:
            self.process.kill()
            await self.process.wait()
            self.process = None


class Place:
    """A listener, and the client that connects to it, for one case at a time."""

    def __init__(self, client):
        self.client = client
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.visit = None

    async def connected(self, url, words, patience):
        """The client's connection, or None and why there is none."""
        self.visit = asyncio.ensure_future(self.client.visit(url, words))
        coming = asyncio.ensure_future(asyncio.get_running_loop().sock_accept(self.listener))
        await asyncio.wait([coming, self.visit], timeout=PATIENT * patience, return_when=asyncio.FIRST_COMPLETED)
        if coming.done():
            return coming.result()[0], None
        coming.cancel()
        return None, "the client did not connect" + (f": {self.visit.result()}" if self.visit.done() else "")

    async def over(self, patience):
        """Waits until the client says so: None, or what is wrong. Who does not in time is ended."""
        try:
            return await asyncio.wait_for(self.visit, patience)
        except TimeoutError:
            await self.client.end()
            return "the client did not notice the end of its connection"

    async def forget(self):
        """Nobody waits for what it does any more; nor for other connections that it made."""
        if not self.visit.done():
            self.visit.cancel()
            await asyncio.gather(self.visit, return_exceptions=True)
            await self.client.end()
        try:
            while True:
                self.listener.accept()[0].close()
        except BlockingIOError:
            pass

    async def end(self):
        self.listener.close()
        await self.client.end()


class ClientRole:
    name = "client"
    ends_tcp = True  # the server does (RFC 6455 section 7.1.1)

    def __init__(self, command, patience, make=None, tls=None):
        """`make` returns a client that is no command: with visit() and end(), as above. `tls`: the files of a certificate for
        127.0.0.1 and localhost, which the client trusts, and of its key."""
        kind = SingleCommand if any("{url}" in word for word in command) else LineCommand
        self.make = make or (lambda: kind(command))
        self.patience = patience
        self.scheme, self.wrap = ("wss", towards_client(*tls)) if tls else ("ws", None)
        self.places, self.free = [], []
        self.keys = set()  # of all requests
        self.mask = None  # the first of the last connection
        self.count = 0

    async def end(self):
        await asyncio.gather(*[place.end() for place in self.places])

    async def play(self, case, script):
        if not self.free:
            self.places.append(Place(self.make()))
            self.free.append(self.places[-1])
        place = self.free.pop()
        try:
            return await self._play(case, script, place)
        finally:
            await place.forget()
            self.free.append(place)

    async def _play(self, case, script, place):
        self.count += 1
        target = f"/{self.count}" if case.target is None else case.target
        host = f"{case.host}:{place.port}"
        words = [f"offer={wish(case).replace(' ', '')}"] if wish(case) else []
        words += [f"subprotocols={','.join(case.subprotocols)}"] if case.subprotocols else []
        connected, reason = await place.connected(f"{self.scheme}://{host}{target}", words, self.patience)
        if not connected:
            seen = Transcript()
            seen.violations.append(reason)
            return seen
        relay = None
        if self.wrap:
            connected, relay = relayed(connected, self.wrap)
        link = Link(connected, False, self.patience)
        link.relay = relay
        try:
            if asked := await self._request(link, host.lower(), target if target[:1] == "/" else f"/{target}"):
                await self._answer(link, case, script, asked)
                await finish(self, case, link)
                self._check_masks(link)
        finally:
            await link.done()
        if reason := await place.over(self.patience):
            link.seen.violations.append(reason)
        return link.seen

    async def _request(self, link, host, target):
        """The head of the request, or None."""
        try:
            while b"\r\n\r\n" not in link.buffer:
                if not await link.fill(self.patience):
                    break
        except TimeoutError:
            pass
        raw, empty_line, rest = bytes(link.buffer).partition(b"\r\n\r\n")
        if not empty_line:
            link.seen.violations.append(f"no request: {raw[:60]!r}")
            return None
        link.buffer[:] = rest
        head = Head(raw)
        link.seen.violations += faults_of_request(head, raw, host, target)
        if rest:
            link.seen.violations.append("something came before the answer (section 4.1)")
        self._check_key(link, head.field("Sec-WebSocket-Key"))
        link.fill_in = fill_in(head.field("Sec-WebSocket-Key") or "", host)
        return head

    def _check_key(self, link, key):
        if key in self.keys:
            link.seen.violations.append(f"the key {key} came before (section 4.1, 7)")
        self.keys.add(key)

    def _check_masks(self, link):
        """Here only what chance does once in 2^32 times (RFC 6455 section 5.3)."""
        masks = link.seen.masks
        if any(mask == next_mask for mask, next_mask in zip(masks, masks[1:])):
            link.seen.violations.append("one key for two frames (section 5.3)")
        if masks[:1] and masks[0] == self.mask:
            link.seen.violations.append("one key for the first frames of two connections (section 5.3)")
        self.mask = masks[0] if masks else self.mask

    async def _answer(self, link, case, script, asked):
        """The answer, and the script: which is the answer where the case is about it."""
        link.seen.declined = unsuited(case, asked)
        if link.seen.declined:
            return
        if case.outcome.handshake:
            await script.act(link)
            link.deflate = deflate_of(case.answer)
            link.listen()
            if case.outcome.greets:
                await link.send(link.encode([text("hello?")]))
            return
        terms = case.answer or case.offer
        more = [f"Sec-WebSocket-Extensions: {terms}"] if terms else []
        await link.send(link.encode([answer(more=[*more, *case.more])]))
        link.deflate = deflate_of(terms)
        link.listen()
        await script.act(link)


def wish(case):
    """What the client should offer."""
    return OFFER if case.asks is None and (case.answer or case.offer) else case.asks


def unsuited(case, asked):
    """Why the request is not one that the case can be about, or None."""
    offers = extensions(asked.field("Sec-WebSocket-Extensions") or "")
    names = asked.list("Sec-WebSocket-Protocol")
    if case.outcome.handshake and case.asks is not None and sorted_terms(offers) != sorted_terms(extensions(case.asks)):
        return f"it offers {asked.field('Sec-WebSocket-Extensions')}, and not {case.asks or 'nothing'}"
    if case.subprotocols is not None and names != list(case.subprotocols):
        return f"it offers the subprotocols {names}, and not {list(case.subprotocols)}"
    terms = [] if case.outcome.handshake else extensions(case.answer or case.offer or "")
    if terms and not any(name == terms[0][0] and answers_offer(given, terms[0][1]) for name, given in offers):
        return f"it offers {asked.field('Sec-WebSocket-Extensions')}, which cannot be answered with {case.answer or case.offer}"
    return None


def sorted_terms(offers):
    return [(name, sorted(parameters, key=str)) for name, parameters in offers]


def deflate_of(terms):
    """The judge's side of what it has answered."""
    if not terms:
        return None
    given = dict(extensions(terms)[0][1])
    return Deflate(
        own_bits=bits_of(given.get("server_max_window_bits")) or 15,
        own_takeover="server_no_context_takeover" not in given,
        peer_bits=bits_of(given.get("client_max_window_bits")) or 15,
        peer_takeover="client_no_context_takeover" not in given,
    )
