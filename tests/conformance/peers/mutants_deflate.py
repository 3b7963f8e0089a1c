"""mutants_deflate.py - broken servers: permessage-deflate. See mutant.py."""

import zlib

from mutant import mutant
from strict import Echo, Failed


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


@mutant("The text is checked once it is decompressed, not before.", "7692:7.2.2/utf8-*", "7692:7.2/letters-*")
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
