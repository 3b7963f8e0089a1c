"""script.py - what a case sends: steps, taken in order on one connection.

    a Frame, or bytes            is sent; what stands side by side leaves in one write
    split(step..., every=1)      their bytes in writes of so many bytes; split(step..., at=[3, 9]): cut at these offsets;
                                 split(step...): in a write of their own
    heard("a", b"b")             goes on when all these messages have come back, by whatever frames
    ponged(b"x")                 goes on when this pong has come
    compressed("a", ...)         a message through the judge's compressor, as it was negotiated (see Compressed)
    closing_heard()              goes on when the peer has sent a close frame, or has ended
    otherwise(step...)           what would have been enough to end the connection has been sent: only if the peer has not
                                 ended it, these are sent; the result is then NON-STRICT at best
    unanswered()                 from here on a close frame of the peer is not answered
    fin()                        the judge's side of TCP ends; the other stays open
    reset()                      TCP is reset

Each wait ends by the judge's patience, which the peer's outcome then shows. Pieces are written one by one, with a moment
between them, so that most arrive alone; no outcome rests on that.
"""

import asyncio
import dataclasses
import zlib

from wire import BINARY, CLOSE, CONT, PING, RSV1, TEXT, Frame, as_bytes, fragments, shown

BETWEEN_PIECES = 0.0005
TAIL = b"\x00\x00\xff\xff"


class Step:
    async def act(self, link):
        raise NotImplementedError

    def frames(self):
        """Those frames of it that have a meaning by themselves."""
        return []


@dataclasses.dataclass
class Raw(Step):
    """Frames and bytes that leave in one write."""

    parts: list

    async def act(self, link):
        await link.send(link.encode(self.parts))

    def frames(self):
        return [part for part in self.parts if isinstance(part, Frame)]

    def __str__(self):
        words = [str(part) if isinstance(part, Frame) else shown(part, 600) for part in self.parts[:8]]
        return " | ".join(words) + (f" | ... ({len(self.parts)} in all)" if len(self.parts) > 8 else "")


@dataclasses.dataclass
class Split(Raw):
    every: int = None
    at: list = None

    async def act(self, link):
        data = link.encode(self.parts)
        cuts = list(range(self.every, len(data), self.every)) if self.every else sorted(self.at)
        with link.inside_frames():
            for begin, end in zip([0, *cuts], [*cuts, len(data)]):
                await link.send(data[begin:end])
                await asyncio.sleep(BETWEEN_PIECES)

    def __str__(self):
        how = f"in pieces of {self.every}" if self.every else f"cut at {self.at}"
        return f"[{super().__str__()}] {how}"


@dataclasses.dataclass
class Heard(Step):
    messages: list

    async def act(self, link):
        await link.until(lambda seen: len(seen.messages) >= len(self.messages))

    def __str__(self):
        return f"(after {len(self.messages)} messages came back)"


@dataclasses.dataclass
class Ponged(Step):
    payload: bytes

    async def act(self, link):
        await link.until(lambda seen: self.payload in seen.pongs)
        if self.payload not in link.seen.pongs and not link.seen.end:
            link.seen.violations.append(f"no pong {shown(self.payload)} in time (RFC 6455 section 5.5.2)")

    def __str__(self):
        return f"(after the pong {shown(self.payload)})"


class ClosingHeard(Step):
    async def act(self, link):
        await link.until(lambda seen: seen.close)

    def __str__(self):
        return "(after the peer's close frame)"


@dataclasses.dataclass
class Otherwise(Raw):
    async def act(self, link):
        await link.until(lambda seen: seen.close)
        if not link.seen.close and not link.seen.end:
            link.seen.late = True
            await super().act(link)

    def __str__(self):
        return f"(if that did not end it: {super().__str__()})"


class Unanswered(Step):
    async def act(self, link):
        link.answers_close = False

    def __str__(self):
        return "(no answer to a close frame)"


class Fin(Step):
    async def act(self, link):
        link.half_close()

    def __str__(self):
        return "FIN"


class Reset(Step):
    async def act(self, link):
        link.reset()

    def __str__(self):
        return "RST"


@dataclasses.dataclass
class Compressed(Step):
    """A message of permessage-deflate (RFC 7692 section 7.2.1), by zlib within the agreed window and context. `cuts`:
    the sizes of its first fragments; `every`: of all of them. `flushes`: offsets in the payload at which a block ends.
    `blocks`: "stored", "fixed" or "huffman" (literals only) instead of what zlib finds best. `final`: in a block with BFINAL."""

    payload: object
    cuts: tuple = ()
    every: int = None
    flushes: tuple = ()
    blocks: str = "best"
    final: bool = False

    async def act(self, link):
        data = link.compress(as_bytes(self.payload), self)
        cuts = list(range(self.every, len(data), self.every)) if self.every else []
        for size in self.cuts:
            cuts.append(min(len(data), (cuts or [0])[-1] + size))
        parts = [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)])]
        first, *rest = fragments(self.opcode(), *parts)
        await link.send(link.encode([dataclasses.replace(first, rsv=RSV1), *rest]))

    def opcode(self):
        return TEXT if isinstance(self.payload, str) else BINARY

    def frames(self):
        return [Frame(self.opcode(), as_bytes(self.payload))]

    def __str__(self):
        how = [f"{name} {value}" for name, value in vars(self).items() if value and name != "payload" and value != "best"]
        return f"compressed {shown(as_bytes(self.payload))} {' '.join(how)}".rstrip()


class Compressor:
    """The judge's, for one connection."""

    STRATEGIES = {"fixed": zlib.Z_FIXED, "huffman": zlib.Z_HUFFMAN_ONLY}

    def __init__(self, bits, takeover):
        self.bits, self.takeover = bits, takeover
        self.stream = None

    def compress(self, payload, how):
        """zlib has no window of 8 bits, but with 9 it looks back 250 bytes at most (512 less 262 of lookahead)."""
        if not self.takeover or self.stream is None or how.blocks != "best":
            level = 0 if how.blocks == "stored" else 9
            strategy = self.STRATEGIES.get(how.blocks, zlib.Z_DEFAULT_STRATEGY)
            self.stream = zlib.compressobj(level, zlib.DEFLATED, -max(self.bits, 9), 8, strategy)
        out = b""
        done = 0
        for offset in how.flushes:
            out += self.stream.compress(payload[done:offset]) + self.stream.flush(zlib.Z_FULL_FLUSH)
            done = offset
        out += self.stream.compress(payload[done:])
        if how.final:
            # A final block has no empty stored block behind it to strip: one follows (RFC 7692 section 7.2.3.4).
            out += self.stream.flush(zlib.Z_FINISH) + b"\x00"
            self.stream = None
            return out
        return (out + self.stream.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


class Script:
    def __init__(self, steps):
        """Neighbours that are bytes or frames are joined into one write."""
        self.steps = []
        for step in flat(steps):
            if not isinstance(step, (Frame, bytes)):
                self.steps.append(step)
            elif self.steps and type(self.steps[-1]) is Raw:
                self.steps[-1].parts.append(step)
            else:
                self.steps.append(Raw([step]))

    def meaning(self):
        """The messages that an echo sends back, and the payloads of the pings, up to a close frame."""
        messages, pongs, under_way = [], [], None
        for frame in (frame for step in self.steps for frame in step.frames()):
            if frame.opcode == CLOSE:
                break
            if frame.opcode == PING:
                pongs.append(frame.payload)
            if frame.opcode in (TEXT, BINARY):
                under_way = [frame.opcode]
            if frame.opcode in (TEXT, BINARY, CONT) and under_way:
                under_way.append(frame.payload)
                if frame.fin:
                    whole = b"".join(under_way[1:])
                    messages.append(whole.decode("utf-8", "replace") if under_way[0] == TEXT else whole)
                    under_way = None
        return messages, pongs

    async def act(self, link):
        for step in self.steps:
            await step.act(link)

    def __str__(self):
        words = [str(step) for step in self.steps[:12]] + ["..."] * (len(self.steps) > 12)
        return " || ".join(words) or "nothing"


def flat(steps):
    for step in steps if isinstance(steps, (list, tuple)) else [steps]:
        if isinstance(step, (list, tuple)):
            yield from flat(step)
        else:
            yield step


def split(*parts, every=None, at=()):
    return Split(list(flat(parts)), every, at)


def heard(*messages):
    return Heard(list(messages))


def ponged(payload):
    return Ponged(as_bytes(payload))


def compressed(payload, **how):
    return Compressed(payload, **how)


def closing_heard():
    return ClosingHeard()


def otherwise(*parts):
    return Otherwise(list(flat(parts)))


def unanswered():
    return Unanswered()


def fin():
    return Fin()


def reset():
    return Reset()
