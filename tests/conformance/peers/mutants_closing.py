"""mutants_closing.py - broken servers: closing, UTF-8 and limits. See mutant.py."""

import struct

from mutant import mutant
from strict import Echo, Ended, Failed


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
