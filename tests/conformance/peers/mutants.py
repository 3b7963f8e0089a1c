"""mutants.py - strict.py with one rule broken at a time, and the cases that must notice.

A mutant of a rule that says SHOULD may be caught by NON-STRICT; all others by a FAIL."""

import dataclasses
import struct
import zlib

from strict import Echo, Ended, Failed, Refused, words

MUTANTS = {}


@dataclasses.dataclass
class Mutant:
    name: str
    rule: str
    kind: type
    cases: tuple  # patterns; the whole of them is played
    should: bool


def mutant(rule, *cases, should=False):
    """Registers a class; its name in small letters, with hyphens, is the mutant's."""

    def add(kind):
        name = "".join("-" + letter.lower() if letter.isupper() else letter for letter in kind.__name__).lstrip("-")
        MUTANTS[name] = Mutant(name, rule, kind, cases, should)
        return kind

    return add


# ---- The handshake


@mutant("The accept value is made of the key and the GUID.", "4.2.1/plain", "4.2.1/key-*")
class AcceptsWithoutGuid(Echo):
    def accept(self):
        return self.values("sec-websocket-key")[0]


@mutant("The accept value is that of this key, not of the first that came.", "4.2.1/key-*")
class AcceptsByTheSampleKey(Echo):
    def accept(self):
        return "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@mutant("The accept value is written as base64, which has no case to change.", "4.2.1/plain")
class AcceptsInSmallLetters(Echo):
    def accept(self):
        return super().accept().lower()


@mutant("The answer says Upgrade: websocket.", "4.2.1/plain")
class AnswersWithoutUpgrade(Echo):
    def answer(self):
        return super().answer().replace("Upgrade: websocket\r\n", "")


@mutant("The answer says Connection: Upgrade.", "4.2.1/plain")
class AnswersWithKeepAlive(Echo):
    def answer(self):
        return super().answer().replace("Connection: Upgrade", "Connection: keep-alive")


@mutant("Only a subprotocol that was offered may be chosen.", "4.2.2/*")
class InventsASubprotocol(Echo):
    def check_protocols(self):
        super().check_protocols()
        self.protocol = "chat"


@mutant("One subprotocol is chosen.", "4.2.2/*")
class ChoosesAllSubprotocols(Echo):
    def check_protocols(self):
        super().check_protocols()
        self.protocol = ", ".join(self.values("sec-websocket-protocol")) or None


@mutant("Only an extension that was offered may be accepted.", "4.2.1/plain", "9.1/*")
class InventsAnExtension(Echo):
    def negotiate(self):
        return super().negotiate() or "x-invented"


@mutant("The names of fields have no case.", "4.2.1/*-capitals", "4.2.1/*-small-letters")
class ComparesNamesWithCase(Echo):
    def parse_head(self, head):
        super().parse_head(head)
        exact = {line.partition(":")[0] for line in head.split("\r\n")[1:]}
        usual = {name: name.title().replace("Websocket", "WebSocket") for name in self.fields}
        self.fields = {name: value for name, value in self.fields.items() if usual[name] in exact}


@mutant("Connection is a list.", "4.2.1/connection-value-*")
class ComparesConnectionAsAWhole(Echo):
    def check_connection(self):
        if [value.lower() for value in self.values("connection")] != ["upgrade"]:
            raise Refused(400)


@mutant("Upgrade and Connection are compared without case.", "4.2.1/upgrade-value-*", "4.2.1/connection-value-*")
class ComparesValuesWithCase(Echo):
    def check_upgrade(self):
        if "websocket" not in self.values("upgrade"):
            raise Refused(426)


@mutant("A handshake without Connection: Upgrade is refused.", "4.2.1/*connection*")
class IgnoresConnection(Echo):
    def check_connection(self):
        pass


@mutant("A handshake without Upgrade: websocket is refused.", "4.2.1/*upgrade*")
class LooksForUpgradeAnywhere(Echo):
    def check_upgrade(self):
        if "websocket" not in "".join(words(self.values("upgrade"))):
            raise Refused(426)


@mutant("A handshake without a key is refused.", "4.2.1/*key*")
class IgnoresTheKey(Echo):
    def check_key(self):
        self.fields.setdefault("sec-websocket-key", [""])


@mutant("A second key is refused.", "4.2.1/twice-*")
class TakesTheFirstKey(Echo):
    def check_key(self):
        self.fields["sec-websocket-key"] = self.values("sec-websocket-key")[:1]
        super().check_key()


@mutant("Another version is refused.", "4.4/*", "4.2.1/*version*")
class IgnoresTheVersion(Echo):
    def check_version(self):
        pass


@mutant("A version is a number of its own.", "4.4/*")
class LooksForTheVersionAnywhere(Echo):
    def check_version(self):
        if not any("13" in value for value in self.values("sec-websocket-version")):
            raise Refused(426)


@mutant("A refused version is told the right one.", "4.4/*", should=True)
class KeepsItsVersionSecret(Echo):
    def refusal(self, status):
        return super().refusal(status).replace(b"Sec-WebSocket-Version: 13\r\n", b"")


@mutant("The method is GET.", "4.2.1/method-*")
class IgnoresTheMethod(Echo):
    def check_method(self):
        pass


@mutant("HTTP is 1.1 or more.", "4.2.1/http-*")
class IgnoresTheVersionOfHttp(Echo):
    def check_http(self):
        pass


@mutant("One Host is needed.", "4.2.1/*host*")
class IgnoresHost(Echo):
    def check_host(self):
        pass


@mutant("A head may come in pieces.", "4.2.1/cut-at-*", "4.2.1/byte-by-byte")
class WantsTheHeadAtOnce(Echo):
    def handshake(self):
        yield
        if b"\r\n\r\n" not in self.buffer:
            raise Refused(400)
        yield from super().handshake()


@mutant("An extension list that is malformed is refused.", "9.1/*")
class ForgivesBadExtensions(Echo):
    def offers(self):
        try:
            return super().offers()
        except Refused:
            return []


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


# ---- Closing


@mutant("A close frame is answered.", "5.5.1/*")
class DropsInsteadOfClosing(Echo):
    def closing(self, payload):
        self.check_close(payload)
        self.transport.close()
        self.close = lambda payload: None
        super().closing(payload)


@mutant("A close frame is answered with its code.", "7.4/*", should=True)
class AnswersEveryCloseWith1000(Echo):
    def closing(self, payload):
        self.check_close(payload)
        super().closing(struct.pack(">H", 1000))


@mutant("A close frame is answered with its code, not another.", "7.4/*")
class AnswersEveryCloseWith1001(Echo):
    def closing(self, payload):
        self.check_close(payload)
        super().closing(struct.pack(">H", 1001))


@mutant("An empty close frame is answered, but 1005 is never sent.", "5.5.1/*")
class Sends1005(Echo):
    def close(self, payload):
        super().close(payload or struct.pack(">H", 1005))


@mutant("1005 is never received.", "7.4/*")
class Takes1005(Echo):
    def check_code(self, code):
        if code != 1005:
            super().check_code(code)

    def close(self, payload):
        super().close(b"" if payload == struct.pack(">H", 1005) else payload)


@mutant("Codes under 1000 are not used.", "7.4/*")
class TakesSmallCodes(Echo):
    def check_code(self, code):
        if code >= 1000:
            super().check_code(code)


@mutant("Codes that nobody has defined are not used.", "7.4/*")
class TakesAllCodesFrom1000(Echo):
    def check_code(self, code):
        if code < 1000 or code in (1004, 1005, 1006, 1015):
            raise Failed(1002)


@mutant("Codes of libraries and of applications are used.", "7.4/*")
class RefusesPrivateCodes(Echo):
    def check_code(self, code):
        super().check_code(code)
        if code >= 4000:
            raise Failed(1002)


@mutant("A close frame has no payload, or two bytes at least.", "5.5.1/*")
class TakesOneByteOfCode(Echo):
    def closing(self, payload):
        super().closing(b"" if len(payload) == 1 else payload)


@mutant("A reason is UTF-8.", "5.5.1/*")
class TakesAnyReason(Echo):
    def check_reason(self, reason):
        pass


@mutant("Behind a close frame nothing counts.", "5.5.1/*")
class EchoesBehindTheClose(Echo):
    def closing(self, payload):
        self.check_close(payload)
        self.close(payload[:2])

    def close(self, payload):
        if not self.close_sent:
            super().close(payload)


@mutant("The server ends TCP behind the close frames.", "7.1/*", "5.5.1/c*")
class LeavesTcpOpen(Echo):
    def end_transport(self):
        pass


@mutant("One who fails the connection ends it.", "7.1/*")
class GoesOnAfterAFailure(Echo):
    def run(self):
        yield from self.handshake()
        while True:
            try:
                yield from self.frame()
            except Failed as failure:
                self.fail(*failure.args)
            except Ended:
                return


@mutant("One who fails the connection says why.", "5.2/opcode-*", should=True)
class FailsWithoutAWord(Echo):
    def fail(self, code):
        pass


@mutant("A failure has the code of its reason.", "8.1/at-*", should=True)
class FailsAlwaysWith1002(Echo):
    def fail(self, code):
        super().fail(1002)


@mutant("A failure is no normal closure.", "5.2/opcode-*")
class FailsWith1000(Echo):
    def fail(self, code):
        super().fail(1000)


@mutant("An end of TCP ends the connection.", "7.1/fin-*")
class IgnoresTheEndOfTcp(Echo):
    kept = []  # or they would be ended as garbage

    def eof_received(self):
        self.kept.append(self.transport)
        return True


# ---- UTF-8


@mutant("Text is UTF-8.", "8.1/*")
class TakesAnyText(Echo):
    def check_text(self, data, last):
        pass

    def message(self, opcode, payload):
        super().message(opcode, payload.decode("utf-8", "replace").encode() if opcode == 1 else payload)


@mutant("A letter has one form.", "8.1/overlong-*")
class TakesOverlongForms(Echo):
    def check_text(self, data, last):
        data = data.replace(b"\xc0\xaf", b"/").replace(b"\xc0\x80", b"0").replace(b"\xe0\x80\xaf", b"/")
        super().check_text(data, last)

    def message(self, opcode, payload):
        super().message(opcode, payload.replace(b"\xc0", b"").replace(b"\xaf", b"") if opcode == 1 else payload)


@mutant("Surrogates are no letters.", "8.1/surrogate-*", "8.1/u+*")
class TakesSurrogates(Echo):
    def begin(self, opcode, compressed):
        super().begin(opcode, compressed)
        self.collected = b""

    def check_text(self, data, last):
        self.collected += data
        if last:
            try:
                self.collected.decode("utf-8", "surrogatepass")
            except UnicodeDecodeError:
                raise Failed(1007) from None


@mutant("Noncharacters are letters like any other.", "8.1/u+*")
class RefusesNoncharacters(Echo):
    def check_text(self, data, last):
        super().check_text(data, last)
        if b"\xef\xbf\xbe" in data or b"\xef\xbf\xbf" in data:
            raise Failed(1007)


@mutant("The first letter may be a mark of byte order.", "8.1/u+feff*")
class StripsTheByteOrderMark(Echo):
    def message(self, opcode, payload):
        super().message(opcode, payload.removeprefix(b"\xef\xbb\xbf") if opcode == 1 else payload)


@mutant("A letter may go over fragments.", "8.1/*")
class ChecksEachFragmentAlone(Echo):
    def part(self, data):
        super().part(data)
        if self.text and not self.compressed:
            self.check_text(b"", True)


@mutant("A letter that is not finished is none.", "8.1/cut-off-*")
class TakesAnUnfinishedLetter(Echo):
    def check_text(self, data, last):
        super().check_text(data, False)

    def message(self, opcode, payload):
        super().message(opcode, payload.decode("utf-8", "ignore").encode() if opcode == 1 else payload)


@mutant("What nothing can mend fails at once.", "8.1/at-once-*", should=True)
class ChecksTextAtTheEnd(Echo):
    def part(self, data):
        self.fragments.append(data)

    def finish(self):
        if self.text and not self.compressed:
            self.check_text(b"".join(self.fragments), True)
        super().finish()


# ---- Limits


@mutant("A message over the limit is refused with 1009.", "10.4/*")
class HasNoLimit(Echo):
    limit = 1 << 70


@mutant("Fragments count together.", "10.4/*")
class LimitsEachFragment(Echo):
    def data(self, opcode, fin, rsv, length, key):
        self.size = 0
        yield from super().data(opcode, fin, rsv, length, key)


@mutant("A message of the limit is allowed.", "10.4/limit-*", "10.4/4-mib-*")
class LimitsOneByteLower(Echo):
    limit = Echo.limit - 1


# ---- permessage-deflate


@mutant("RSV1 is for the first frame of a message.", "7692:6/*")
class IgnoresRsv1Elsewhere(Echo):
    def check_rsv(self, rsv, opcode):
        if rsv & 3 or not self.deflate:
            super().check_rsv(rsv, opcode)


@mutant("RSV1 means nothing until it is negotiated.", "7692:6/*", "5.2/rsv-100*")
class TakesRsv1Always(Echo):
    def check_rsv(self, rsv, opcode):
        if rsv and not (rsv == 4 and opcode in (1, 2)):
            raise Failed(1002)

    def inflate(self, data):
        if not self.deflate:
            raise Failed(1007)
        return super().inflate(data)

    def begin(self, opcode, compressed):
        super().begin(opcode, compressed and bool(self.deflate))


@mutant("An offer with an unknown parameter is declined.", "7692:7.1/bad-*")
class TakesUnknownParameters(Echo):
    def suits(self, parameters):
        return super().suits([(name, value) for name, value in parameters if name.endswith(("takeover", "bits"))])


@mutant("An offer with a parameter twice is declined.", "7692:7.1/bad-*")
class TakesParametersTwice(Echo):
    def suits(self, parameters):
        return super().suits(list(dict(parameters).items()))


@mutant("A flag has no value.", "7692:7.1/bad-*")
class TakesValuesOfFlags(Echo):
    def suits(self, parameters):
        return super().suits([(name, None if name.endswith("takeover") else value) for name, value in parameters])


@mutant("What is offered of the server is confirmed.", "7692:7.1/offer-server-forgets*")
class DoesNotConfirmNoTakeover(Echo):
    def agree(self, given):
        return super().agree(given).replace("; server_no_context_takeover", "")


@mutant("A limit of the client's window is only for one who offers it.", "7692:7.1/offer-*")
class LimitsTheClientUnasked(Echo):
    def agree(self, given):
        return super().agree({"client_max_window_bits": "12", **given})


@mutant("The server's window is not larger than the client asks.", "7692:7.1/offer-server-bits-*")
class AnswersWithMoreBits(Echo):
    def agree(self, given):
        agreed = super().agree(given)
        return agreed.replace(f"server_max_window_bits={self.server_bits}", f"server_max_window_bits={self.server_bits + 1}")


@mutant("The server keeps to its window.", "7692:7.1/*server-*")
class CompressesWithTheWholeWindow(Echo):
    def agree(self, given):
        agreed = super().agree(given)
        self.server_bits = 15
        return agreed


@mutant("The server forgets its window where it said so.", "7692:7.1/offer-server-forgets*", "7692:7.2/hundred-*")
class KeepsItsWindow(Echo):
    def agree(self, given):
        agreed = super().agree(given)
        self.server_keeps = True
        return agreed


@mutant("The client's window is kept between messages.", "7692:7.1/offer-plain", "7692:7.2/hundred-*", "7692:7.2/hello-twice")
class ForgetsTheClientsWindow(Echo):
    def agree(self, given):
        agreed = super().agree(given)
        self.client_keeps = False
        return agreed


@mutant("The client's window is as large as was said.", "7692:7.1/window-*")
class InflatesWithASmallWindow(Echo):
    def agree(self, given):
        agreed = super().agree(given)
        self.client_bits = min(self.client_bits, 12)
        return agreed


@mutant("An empty message is one byte.", "7692:7.2/*empty*")
class SendsAnEmptyMessageAsNothing(Echo):
    def deflated(self, payload):
        return super().deflated(payload) if payload else b""


@mutant("The empty block at the end is stripped.", "7692:7.2/hello-*", "7692:7.2/letters-*")
class LeavesTheTail(Echo):
    def deflated(self, payload):
        return super().deflated(payload) + b"\x00\x00\xff\xff"


@mutant("DEFLATE has no head.", "7692:7.2/letters-*")
class SendsAZlibHead(Echo):
    def deflated(self, payload):
        return zlib.compress(payload)


@mutant("A final block is not the end.", "7692:7.2/final*")
class StopsAtAFinalBlock(Echo):
    def inflate(self, data):
        if self.inflater is None or not self.client_keeps:
            self.inflater = zlib.decompressobj(-self.client_bits)
        try:
            return self.inflater.decompress(data + b"\x00\x00\xff\xff")
        except zlib.error:
            raise Failed(1007) from None


@mutant("What is no DEFLATE fails.", "7692:7.2.2/garbage-*")
class TakesGarbageForNothing(Echo):
    def inflate(self, data):
        try:
            return super().inflate(data)
        except Failed:
            self.inflater = None
            return b""


@mutant("Compressed text is UTF-8 too.", "7692:7.2.2/utf8-*")
class TakesAnyCompressedText(Echo):
    def check_text(self, data, last):
        if not self.compressed:
            super().check_text(data, last)

    def message(self, opcode, payload):
        super().message(opcode, payload.decode("utf-8", "replace").encode() if opcode == 1 else payload)


@mutant("The text is checked once it is decompressed, not before.", "7692:7.2.2/utf8-*", "7692:7.2/octets-*", "7692:7.2/letters-*")
class ChecksTheTextOfTheWire(Echo):
    def part(self, data):
        if self.text:
            self.check_text(data, False)
        self.fragments.append(data)


@mutant("The limit counts what comes of decompression.", "7692:7.2.2/bomb-*")
class LimitsTheWireOnly(Echo):
    def check_inflated(self, size):
        if size > self.limit * 64:
            raise Failed(1009)

    def inflate(self, data):
        self.limit, kept = self.limit * 64, self.limit
        try:
            return super().inflate(data)
        finally:
            self.limit = kept


@mutant("RSV1 is set on what is compressed.", "7692:7.2/letters-*")
class ForgetsToSayRsv1(Echo):
    def send(self, opcode, payload, rsv=0):
        super().send(opcode, payload, 0)
