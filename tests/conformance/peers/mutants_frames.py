"""mutants_frames.py - broken servers: frames, fragments, ping and pong. See mutant.py."""

import struct

from mutant import mutant
from strict import Echo, Failed


# ---- Frames


@mutant("A client's frame has to be masked.", "5.1/*")
class TakesUnmaskedFrames(Echo):
    def check_masked(self, masked):
        pass


@mutant("A server does not mask.", "5.2/length-5-*")
class MasksItsFrames(Echo):
    def send(self, opcode, payload, rsv=0):
        head = bytearray(self.header(0x80 | rsv << 4 | opcode, len(payload)))
        head[1] |= 0x80
        self.transport.write(bytes(head) + bytes(4) + payload)


@mutant("Octet i is unmasked with octet i modulo 4.", "5.3/*")
class UnmasksWithTheFirstByte(Echo):
    def unmask(self, data, key, offset):
        return super().unmask(data, key[:1] * 4, offset)


@mutant("The mask goes on where the last piece has stopped.", "5.3/*")
class UnmasksEachPieceAnew(Echo):
    def unmask(self, data, key, offset):
        return super().unmask(data, key, 0)


@mutant("Each frame has a key of its own.", "5.3/*")
class KeepsTheFirstKey(Echo):
    def unmask(self, data, key, offset):
        self.kept = getattr(self, "kept", key)
        return super().unmask(data, self.kept, offset)


@mutant("A reserved bit fails the connection.", "5.2/rsv-*")
class IgnoresReservedBits(Echo):
    def check_rsv(self, rsv, opcode):
        pass


@mutant("RSV3 is reserved too.", "5.2/rsv-*")
class IgnoresRsv3(Echo):
    def check_rsv(self, rsv, opcode):
        super().check_rsv(rsv & 6, opcode)


@mutant("Reserved bits of control frames count too.", "5.2/rsv-*")
class IgnoresRsvOfControlFrames(Echo):
    def check_rsv(self, rsv, opcode):
        if opcode < 8:
            super().check_rsv(rsv, opcode)


@mutant("A reserved opcode fails the connection.", "5.2/opcode-*")
class IgnoresReservedOpcodes(Echo):
    def check_opcode(self, opcode):
        if 2 < opcode < 8:
            raise Failed(1002)

    def control(self, opcode, payload):
        if opcode <= 10:
            super().control(opcode, payload)


@mutant("The shortest form of a length is the only one.", "5.2/length-*", should=True)
class TakesLongLengths(Echo):
    def check_length(self, length, short):
        if length >> 63:
            raise Failed(1002)


@mutant("A length has 64 bits.", "5.2/length-65536-*", "5.2/length-65537-*")
class TakesLengthsModulo65536(Echo):
    def length(self, short):
        length = yield from super().length(short)
        return length & 0xFFFF if short == 127 else length


@mutant("The top bit of a length is 0.", "5.2/length-0x*")
class IgnoresTheTopBit(Echo):
    limit = 1 << 70

    def check_length(self, length, short):
        pass


@mutant("Lengths are written in the shortest form.", "5.2/length-*")
class WritesLongLengths(Echo):
    def header(self, first, length):
        return struct.pack(">BBH", first, 126, length) if length < 65536 else super().header(first, length)


@mutant("126 is written in 16 bits.", "5.2/length-*")
class Writes126InSevenBits(Echo):
    def header(self, first, length):
        return bytes([first, length]) if length < 127 else super().header(first, length)


@mutant("Opcodes are kept.", "5.2/length-*")
class SendsAllAsBinary(Echo):
    def message(self, opcode, payload):
        super().message(2, payload)


# ---- Fragments


@mutant("A continuation needs something to continue.", "5.4/*")
class TakesLoneContinuations(Echo):
    def check_order(self, opcode):
        if opcode and self.fragments is not None:
            raise Failed(1002)

    def data(self, opcode, fin, rsv, length, key):
        yield from super().data(opcode or (2 if self.fragments is None else 0), fin, rsv, length, key)


@mutant("No message begins inside another.", "5.4/*")
class ForgetsAnUnfinishedMessage(Echo):
    def check_order(self, opcode):
        if opcode == 0 and self.fragments is None:
            raise Failed(1002)


@mutant("A message is all of its fragments.", "5.4/*")
class EchoesEachFragment(Echo):
    def finish(self):
        parts, self.fragments = self.fragments, None
        for part in parts:
            self.message(self.opcode, part)


@mutant("An empty fragment is one.", "5.4/*")
class EndsAtAnEmptyFragment(Echo):
    def data(self, opcode, fin, rsv, length, key):
        yield from super().data(opcode, fin or length == 0, rsv, length, key)


@mutant("Control frames may be between fragments.", "5.4/*")
class RefusesControlBetweenFragments(Echo):
    def control(self, opcode, payload):
        if self.fragments is not None and opcode != 8:
            raise Failed(1002)
        super().control(opcode, payload)


@mutant("A ping is answered at once.", "5.4/*")
class PongsBehindTheMessage(Echo):
    waiting = ()

    def ping(self, payload):
        if self.fragments is None:
            super().ping(payload)
        else:
            self.waiting = (*self.waiting, payload)

    def finish(self):
        super().finish()
        for payload in self.waiting:
            super().ping(payload)
        self.waiting = ()


@mutant("A control frame is not fragmented.", "5.5/*")
class TakesFragmentedControlFrames(Echo):
    def check_control_final(self, fin):
        pass


@mutant("A control frame has 125 bytes at most.", "5.5/*")
class TakesLongControlFrames(Echo):
    def check_control_length(self, length):
        pass

    def send(self, opcode, payload, rsv=0):
        super().send(opcode, payload[:125] if opcode > 8 else payload, rsv)


# ---- Ping and pong


@mutant("A ping is answered.", "5.5.2/*")
class IgnoresPings(Echo):
    def ping(self, payload):
        pass


@mutant("A pong has the payload of its ping.", "5.5.2/*")
class PongsWithoutPayload(Echo):
    def ping(self, payload):
        super().ping(b"")


@mutant("A pong has all of the payload of its ping.", "5.5.2/*")
class PongsCutPayloads(Echo):
    def ping(self, payload):
        super().ping(payload[:124])


@mutant("A pong answers the latest ping.", "5.5.2/*")
class PongsTheFirstPayload(Echo):
    def ping(self, payload):
        self.first = getattr(self, "first", payload)
        super().ping(self.first)


@mutant("A ping is answered by a pong.", "5.5.2/*")
class PingsBack(Echo):
    def ping(self, payload):
        self.send(9, payload)


@mutant("A pong is not answered.", "5.5.3/*")
class AnswersPongs(Echo):
    def control(self, opcode, payload):
        if opcode == 10:
            self.send(10, payload)
        super().control(opcode, payload)


@mutant("A pong that nobody asked for is borne.", "5.5.3/*")
class RefusesUnaskedPongs(Echo):
    def control(self, opcode, payload):
        if opcode == 10:
            raise Failed(1002)
        super().control(opcode, payload)
