"""link.py - one connection to the peer under judgement: the judge's own, strict end of it, whichever role it has.

What the peer sends is read all the time, by a task of its own, into a Transcript; what breaks a rule of RFC 6455 or RFC
7692 whatever the case is about becomes a violation there. Pings are answered, and close frames too.

It works on a bare socket, and not on a stream of asyncio, because that throws away what has come when a write fails: the
close frame of a peer that has ended TCP would be lost."""

import asyncio
import collections
import contextlib
import socket
import struct
import zlib

from outcomes import Transcript
from script import TAIL, Compressor
from wire import BINARY, CLOSE, CONT, PING, PONG, RSV1, TEXT, Frame, close, masked, pong

CHUNK = 1 << 18


class Violation(Exception):
    pass


def demand(good, rule):
    if not good:
        raise Violation(rule)


def code_valid(code):
    """RFC 6455 section 7.4, and the codes that IANA's registry has added."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


class Link:
    """`masking`: the judge is the client, and the peer must not mask. `deflate`: what was agreed on, a Deflate, or None."""

    def __init__(self, connected, masking, patience):
        """Takes the socket."""
        connected.setblocking(False)
        if connected.family != socket.AF_UNIX:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket, self.masking, self.patience = connected, masking, patience
        self.loop = asyncio.get_running_loop()
        self.seen = Transcript()
        self.buffer = bytearray()
        self.outgoing = collections.deque()
        self.held = None  # replies that wait for the end of a frame
        self.changed = asyncio.Event()  # something came
        self.written = asyncio.Event()  # something went
        self.close_sent = False
        self.answers_close = True
        self.deflate = None
        self.under_way = None  # [opcode, compressed, parts] of the message that is being received
        self.listener = self.sender = self.relay = None  # tasks
        self.fill_in = {}  # of heads: {b"{host}": ...}

    # ---- What comes

    async def fill(self, patience=None):
        """More bytes into the buffer; False at the end."""
        try:
            got = await asyncio.wait_for(self.loop.sock_recv(self.socket, CHUNK), patience)
        except TimeoutError:
            raise
        except OSError:
            self.seen.end = "reset"
            return False
        self.buffer += got
        self.changed.set()
        if not got:
            self.seen.end = "end"
        return bool(got)

    async def take(self, count):
        while len(self.buffer) < count:
            if not await self.fill():
                raise EOFError
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def listen(self):
        """The handshake is done: frames from now on."""
        self.listener = asyncio.ensure_future(self._listen())

    async def _listen(self):
        try:
            while True:
                self._receive(await self._frame())
                self.changed.set()
        except EOFError:
            pass
        except Violation as violation:
            self.seen.violations.append(str(violation))
            self.seen.end = "cut off"
        finally:
            self.changed.set()

    async def _frame(self):
        """Reads one frame, and checks all that can be seen of it alone (RFC 6455 section 5.2)."""
        first, second = await self.take(2)
        demand(not self.seen.close, "something came behind the close frame (section 5.5.1)")
        frame = Frame(first & 15, fin=first & 0x80 != 0, rsv=first >> 4 & 7)
        demand((second & 0x80 == 0) == self.masking, "a server masks, or a client does not (section 5.1)")
        demand(frame.opcode in (CONT, TEXT, BINARY, CLOSE, PING, PONG), f"opcode {frame.opcode} (section 5.2)")
        length = second & 0x7F
        if frame.opcode >= CLOSE:
            demand(frame.fin and length < 126 and not frame.rsv, "a control frame with RSV, long or not final (section 5.5)")
        if length == 126:
            length = struct.unpack(">H", await self.take(2))[0]
            demand(length > 125, "a length is not written in the shortest way (section 5.2)")
        elif length == 127:
            length = struct.unpack(">Q", await self.take(8))[0]
            demand(65535 < length < 1 << 63, "a length is not written in the shortest way (section 5.2)")
        key = await self.take(4) if second & 0x80 else None
        if key:
            self.seen.masks.append(key)
        payload = await self.take(length)
        return Frame(frame.opcode, masked(payload, key) if key else payload, frame.fin, frame.rsv)

    def _receive(self, frame):
        if frame.opcode == PING:
            self.reply(pong(frame.payload))
        elif frame.opcode == PONG:
            self.seen.pongs.append(frame.payload)
        elif frame.opcode == CLOSE:
            self._receive_close(frame.payload)
        else:
            self._receive_data(frame)

    def _receive_close(self, payload):
        demand(len(payload) != 1, "a close frame with one byte (section 5.5.1)")
        code = struct.unpack(">H", payload[:2])[0] if payload else None
        demand(code is None or code_valid(code), f"close code {code} (section 7.4)")
        try:
            payload[2:].decode()
        except UnicodeDecodeError:
            raise Violation("a close reason that is not UTF-8 (section 5.5.1)") from None
        self.seen.close = (code, payload[2:])
        if self.answers_close and not self.close_sent:
            self.reply(Frame(CLOSE, payload[:2]))

    def _receive_data(self, frame):
        if frame.opcode == CONT:
            demand(self.under_way, "a continuation of nothing (section 5.4)")
            demand(not frame.rsv, "RSV on a continuation (RFC 7692 section 6.1)")
        else:
            demand(not self.under_way, "a message inside another (section 5.4)")
            demand(frame.rsv in ((0, RSV1) if self.deflate else (0,)), "an RSV bit that nobody asked for (section 5.2)")
            self.under_way = [frame.opcode, frame.rsv == RSV1, []]
        self.under_way[2].append(frame.payload)
        if frame.fin:
            opcode, is_compressed, parts = self.under_way
            self.under_way = None
            self._receive_message(opcode, self.deflate.inflate(b"".join(parts)) if is_compressed else b"".join(parts))

    def _receive_message(self, opcode, payload):
        try:
            self.seen.messages.append(payload.decode() if opcode == TEXT else payload)
        except UnicodeDecodeError:
            raise Violation("a text that is not UTF-8 (section 8.1)") from None

    async def until(self, condition, patience=None):
        """Waits until the transcript fits, the peer ends, or nothing has come for as long as the patience lasts."""
        while not condition(self.seen) and not self.seen.end:
            self.changed.clear()
            try:
                await asyncio.wait_for(self.changed.wait(), patience or self.patience)
            except TimeoutError:
                return

    # ---- What goes

    def encode(self, parts):
        self.close_sent |= any(isinstance(part, Frame) and part.opcode == CLOSE for part in parts)
        return b"".join(part.encode(self.masking) if isinstance(part, Frame) else self.filled(part) for part in parts)

    def filled(self, part):
        """What a head leaves open is known only here."""
        for name, value in self.fill_in.items() if not self.listener else ():
            part = part.replace(name, value)
        return part

    def post(self, data):
        """Sends without waiting. What the peer does not take is its own affair: the transcript will show."""
        self.outgoing.append(data)
        if not self.sender or self.sender.done():
            self.sender = asyncio.ensure_future(self._send_all())

    def reply(self, frame):
        """What the judge says by itself does not go into the middle of a frame that the script is sending."""
        if self.held is None:
            self.post(self.encode([frame]))
        else:
            self.held.append(frame)

    @contextlib.contextmanager
    def inside_frames(self):
        self.held = []
        try:
            yield
        finally:
            held, self.held = self.held, None
            for frame in held:
                self.reply(frame)

    async def _send_all(self):
        try:
            while self.outgoing:
                data = memoryview(self.outgoing.popleft())
                for at in range(0, len(data), CHUNK):
                    await self.loop.sock_sendall(self.socket, data[at : at + CHUNK])
                    self.written.set()
        except OSError:
            self.outgoing.clear()
        finally:
            self.written.set()

    async def send(self, data):
        """Waits until it has left, as long as the peer takes some of it."""
        self.post(data)
        while not self.sender.done():
            self.written.clear()
            try:
                await asyncio.wait_for(self.written.wait(), self.patience)
            except TimeoutError:
                return

    async def flush(self):
        """Waits until all has left that was sent without waiting."""
        if self.sender:
            await asyncio.wait([self.sender], timeout=self.patience)

    def compress(self, payload, how):
        return self.deflate.compress(payload, how)

    async def hang_up(self):
        await self.send(self.encode([close(1000)]))

    def half_close(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        self.seen.end = "reset by the judge"

    async def done(self):
        """Ends the connection, whatever its state."""
        tasks = [task for task in (self.listener, self.sender, self.relay) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.socket.close()


class Deflate:
    """permessage-deflate as agreed. The peer's window and context are held to what it said (RFC 7692 section 7.1): what
    reaches beyond them cannot be inflated here."""

    def __init__(self, own_bits, own_takeover, peer_bits, peer_takeover):
        self.compressor = Compressor(own_bits, own_takeover)
        self.peer_bits, self.peer_takeover = peer_bits, peer_takeover
        self.stream = None

    def compress(self, payload, how):
        return self.compressor.compress(payload, how)

    def inflate(self, data):
        if not self.peer_takeover or self.stream is None:
            self.stream = zlib.decompressobj(-self.peer_bits)
        out = b""
        rest = data + TAIL
        try:
            while rest:
                out += self.stream.decompress(rest)
                rest = self.stream.unused_data
                if self.stream.eof:
                    self.stream = zlib.decompressobj(-self.peer_bits, out[-32768:])
            # Did it end with the block that was stripped? Then one more may follow, and be the last.
            probe = self.stream.copy()
            demand(not probe.decompress(b"\x01\x00\x00\xff\xff") and probe.eof, "no end of a block (RFC 7692 section 7.2.1)")
        except zlib.error as error:
            raise Violation(f"a message that cannot be inflated as agreed: {error} (RFC 7692 section 7.2.2)") from None
        return out
