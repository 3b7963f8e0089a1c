"""variants.py - strict.py in other ways that the RFCs leave open, which the judge must not hold against it. See mutant.py."""

import struct

from mutant import variant
from strict import Echo


@variant("Of several pings that wait, only the latest is answered (section 5.5.3).", "5.4/*", "5.5.2/*", "5.5.3/*")
class AnswersTheLatestPing(Echo):
    latest = None

    def ping(self, payload):
        self.latest = payload

    def data_received(self, data):
        super().data_received(data)
        if self.latest is not None and not self.close_sent:
            self.send(10, self.latest)
        self.latest = None

    def close(self, payload):
        if self.latest is not None:
            self.send(10, self.latest)
        super().close(payload)


@variant("Messages go out in fragments, with pings between (section 5.4).", "5.2/*", "5.4/*", "8.1/*", "7692:7.2/*")
class FragmentsWhatItSends(Echo):
    def send(self, opcode, payload, rsv=0):
        if opcode >= 8 or len(payload) < 2:
            super().send(opcode, payload, rsv)
            return
        middle = len(payload) // 2
        parts = [(opcode | rsv << 4, payload[:middle]), (0x89, b"alive?"), (0, b""), (0x80, payload[middle:])]
        for first, part in parts:
            self.transport.write(self.header(first, len(part)) + part)


@variant("TCP cuts what goes out anywhere.", "4.2.1/*", "5.2/length-1*", "7.4/*")
class SendsInPieces(Echo):
    def connection_made(self, transport):
        super().connection_made(transport)
        write = transport.write

        def in_pieces(data):
            for at in range(0, len(data), 7):
                write(data[at : at + 7])

        self.transport = Pieces(transport, in_pieces)


class Pieces:
    """A transport that writes otherwise."""

    def __init__(self, transport, write):
        self.close, self.write = transport.close, write


@variant("A close frame may have a reason (section 5.5.1).", "5.2/opcode-*", "5.5.1/*", "7.4/*", "7.1/*", "8.1/at-*")
class GivesReasons(Echo):
    def close(self, payload):
        super().close(payload + "warum, 何故".encode() if payload else payload)


@variant("A refusal may be another error than is usual (section 4.2.2).", "4.2.1/*-misspelt-*", "4.2.1/method-*", "4.4/*")
class RefusesAlwaysWith400(Echo):
    def refusal(self, status):
        return super().refusal(400)


@variant("Heads have other case, order and white space (RFC 9112 section 5).", "4.2.1/plain", "4.2.2/*", "7692:7.1/offer-*-8")
class WritesItsHeadOddly(Echo):
    def answer(self):
        line, *fields = super().answer().removesuffix("\r\n\r\n").split("\r\n")
        odd = [f"{field.partition(':')[0].upper()}: \t {field.partition(':')[2].strip()} \t" for field in reversed(fields)]
        odd = [field.replace("websocket", "WebSocket").replace("Upgrade \t", "keep-alive , UPGRADE") for field in odd]
        return "\r\n".join([line.replace("Switching Protocols", "Fine"), "Server: odd", *odd, "X-Empty:", "", ""])


@variant("No subprotocol need be chosen (section 4.2.2).", "4.2.2/*")
class ChoosesNoSubprotocol(Echo):
    def check_protocols(self):
        super().check_protocols()
        self.protocol = None


@variant("permessage-deflate need not be accepted.", "7692:*")
class DeclinesCompression(Echo):
    def suits(self, parameters):
        return False


@variant("A message may go out uncompressed (RFC 7692 section 6).", "7692:7.1/offer-*", "7692:7.2/*")
class SendsUncompressed(Echo):
    def message(self, opcode, payload):
        self.send(opcode, payload)


@variant("A server may forget, and ask the client to, though nobody asked (RFC 7692 section 7.1.1).", "7692:7.1/*", "7692:7.2/*")
class ForgetsUnasked(Echo):
    def agree(self, given):
        return super().agree({**given, "server_no_context_takeover": None, "client_no_context_takeover": None})


@variant("A server may limit its window unasked (RFC 7692 section 7.1.2.1).", "7692:7.1/*", "7692:7.2/*")
class LimitsItsWindowUnasked(Echo):
    def agree(self, given):
        return super().agree({"server_max_window_bits": "9", **given})


@variant("Any encoding of DEFLATE will do (RFC 7692 section 7.2.3).", "7692:7.2/letters-*", "7692:7.2/[on]*")
class StoresInsteadOfCompressing(Echo):
    """Stored blocks of 1000 bytes, the last of them final; and an empty one behind it."""

    def deflated(self, payload):
        blocks = [payload[at : at + 1000] for at in range(0, len(payload), 1000)] or [b""]
        heads = [struct.pack("<BHH", block is blocks[-1], len(block), 0xFFFF ^ len(block)) for block in blocks]
        return b"".join(head + block for head, block in zip(heads, blocks)) + b"\0"
