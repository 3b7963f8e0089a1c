"""client_mutants.py - strict_client.py with one rule broken at a time, and the cases that must notice: the mutants of the server's
frames (mutants_*.py), as clients, and those of what only a client does."""

import base64
import itertools
import os
import re
import urllib.parse

import mutants
from mutant import Mutant, register
from strict import Refused, words
from strict_client import Client

MUTANTS = {}

# A server's handshake, what only a server's side of TCP or of the masks has, and what a server negotiates.
SERVERS = {"accept", "answer", "parse_head", "check_protocols", "negotiate", "check_key", "check_version", "check_method", "check_http"}
SERVERS |= {"check_host", "check_connection", "check_upgrade", "refusal", "handshake", "offers", "suits", "agree", "check_masked", "unmask"}
NOT_OF_CLIENTS = {"masks-its-frames", "leaves-tcp-open"}


def inherit():
    for name, found in mutants.MUTANTS.items():
        if not SERVERS & set(vars(found.kind)) and name not in NOT_OF_CLIENTS:
            kind = type(found.kind.__name__, (found.kind, Client), {})
            cases = tuple(glob for glob in found.cases if not glob.startswith(("4.", "9.")))
            MUTANTS[name] = Mutant(name, found.rule, kind, cases, found.should)


mutant = register(MUTANTS)
inherit()

# ---- The request


@mutant("The key is new for each connection.", "4.1/key-*")
class RepeatsItsKey(Client):
    def nonce(self):
        return b"the same 16 byte"


@mutant("The key is of 16 bytes.", "4.1/key-*")
class SendsAShortKey(Client):
    def nonce(self):
        return os.urandom(15)


@mutant("The key is base64.", "4.1/key-*")
class SendsAKeyInHexadecimal(Client):
    def request(self):
        asked = super().request()
        key, self.key = self.key, self.nonce().hex()[:24]
        return asked.replace(key, self.key)


class Changed(Client):
    """Its request is another: `old` is replaced by `new`."""

    old = new = ""

    def request(self):
        return super().request().replace(self.old, self.new)


for name, rule, cases, old, new in (
    ("SendsVersion8", "The version is 13.", "4.1/target-root", "Version: 13", "Version: 8"),
    ("KeepsItsVersionSecret", "The version is said.", "4.1/target-root", "Sec-WebSocket-Version: 13\r\n", ""),
    ("SendsPost", "The method is GET.", "4.1/target-root", "GET ", "POST "),
    ("SendsHttp10", "HTTP is 1.1.", "4.1/target-root", "HTTP/1.1", "HTTP/1.0"),
    ("AsksForNoUpgrade", "Upgrade is asked for.", "4.1/target-root", "Upgrade: websocket\r\n", ""),
    ("KeepsTheConnectionAlive", "Connection says so.", "4.1/target-root", "Connection: Upgrade", "Connection: keep-alive"),
    ("ForgetsTheHost", "The request is told where it goes.", "4.1/host-*", "Host: ", "X-Host: "),
    ("EndsALineWithLf", "Lines end with CR LF.", "4.1/target-root", "\r\nUpgrade", "\nUpgrade"),
    ("WritesASpaceBeforeTheColon", "There is no space before the colon.", "4.1/target-root", "Upgrade: ", "Upgrade : "),
):
    mutant(rule, cases)(type(name, (Changed,), {"old": old, "new": new}))


@mutant("The port belongs to Host.", "4.1/host-*")
class ForgetsThePort(Client):
    def __init__(self, url, *given):
        super().__init__(url, *given)
        self.host = self.host.partition(":")[0]


class ChangedTarget(Client):
    def __init__(self, url, *given):
        super().__init__(url, *given)
        self.target = self.change(self.target)


@mutant("The query belongs to the target.", "4.1/target-*")
class ForgetsTheQuery(ChangedTarget):
    def change(self, target):
        return target.partition("?")[0]


@mutant("Escapes stay what they are.", "4.1/target-*")
class DecodesTheTarget(ChangedTarget):
    def change(self, target):
        return urllib.parse.unquote(target, "latin-1").replace(" ", "+")


@mutant("An empty path is '/'.", "4.1/target-*")
class SendsAnEmptyPath(ChangedTarget):
    def change(self, target):
        return target if target != "/" else ""


@mutant("Subprotocols are offered once.", "4.1/subprotocol-*")
class OffersSubprotocolsTwice(Client):
    def __init__(self, url, offer, subprotocols):
        super().__init__(url, offer, [*subprotocols, *subprotocols])


@mutant("An offer is well-formed.", "4.1/offer-*")
class OffersWithALooseEnd(Client):
    def __init__(self, url, offer, subprotocols):
        super().__init__(url, offer and offer + ";", subprotocols)


@mutant("Nothing leaves before the answer has come.", "4.1/plain")
class SpeaksBeforeTheAnswer(Client):
    def request(self):
        return super().request() + "\x8a\x80\0\0\0\0"


# ---- The answer


@mutant("The status is 101.", "4.1/status-*")
class TakesAnyStatus(Client):
    def check_status(self):
        pass


@mutant("The status is 101, not 200.", "4.1/status-*")
class TakesStatus200(Client):
    def check_status(self):
        if self.status not in (101, 200):
            raise Refused(400)


@mutant("The status has three digits.", "4.1/line-*")
class ReadsTheStatusLoosely(Client):
    def parse_head(self, head):
        line, end, rest = head.partition("\r\n")
        super().parse_head("HTTP/1.1 101 x" + end + rest if "101" in line else head)


@mutant("Upgrade is looked at.", "4.1/without-*", "4.1/upgrade-*")
class IgnoresUpgrade(Client):
    def check_upgrade(self):
        pass


@mutant("Upgrade is compared as a whole.", "4.1/upgrade-*")
class LooksForUpgradeAnywhere(Client):
    def check_upgrade(self):
        if "websocket" not in "".join(self.values("upgrade")).lower():
            raise Refused(400)


@mutant("Upgrade is compared without case.", "4.1/upgrade-value-*")
class ComparesUpgradeWithCase(Client):
    def check_upgrade(self):
        if self.values("upgrade") != ["websocket"]:
            raise Refused(400)


@mutant("Connection is looked at.", "4.1/without-*", "4.1/connection-*")
class IgnoresConnection(Client):
    def check_connection(self):
        pass


@mutant("Connection is a list of tokens.", "4.1/connection-*")
class LooksForConnectionAnywhere(Client):
    def check_connection(self):
        if "upgrade" not in "".join(self.values("connection")).lower():
            raise Refused(400)


@mutant("Connection is a list.", "4.1/connection-value-*")
class ComparesConnectionAsAWhole(Client):
    def check_connection(self):
        if [value.lower() for value in self.values("connection")] != ["upgrade"]:
            raise Refused(400)


@mutant("Connection may be several fields.", "4.1/connection-*")
class ReadsOneConnection(Client):
    def check_connection(self):
        if "upgrade" not in words(self.values("connection")[:1]):
            raise Refused(400)


@mutant("The accept value is looked at.", "4.1/accept-*")
class IgnoresAccept(Client):
    def check_accept(self):
        if not self.values("sec-websocket-accept"):
            raise Refused(400)


@mutant("There has to be an accept value.", "4.1/without-*", "4.1/misspelt-*")
class NeedsNoAccept(Client):
    def check_accept(self):
        if self.values("sec-websocket-accept"):
            super().check_accept()


class Accepting(Client):
    """Compares in its own way."""

    def check_accept(self):
        if not any(self.same(value) for value in self.values("sec-websocket-accept")):
            raise Refused(400)


@mutant("base64 has case.", "4.1/accept-*")
class ComparesAcceptWithoutCase(Accepting):
    def same(self, value):
        return value.lower() == self.accept().lower()


@mutant("The accept value has an end.", "4.1/accept-*")
class ComparesTheBeginningOfAccept(Accepting):
    def same(self, value):
        return value.startswith(self.accept())


@mutant("The accept value has a beginning.", "4.1/accept-*")
class ComparesAsMuchAsCame(Accepting):
    def same(self, value):
        return bool(value) and self.accept().startswith(value)


@mutant("The accept value is compared as it is written.", "4.1/accept-*")
class ComparesTheBytesOfAccept(Accepting):
    def same(self, value):
        try:
            return base64.b64decode(value) == base64.b64decode(self.accept())
        except ValueError:
            return False


@mutant("The accept value has a GUID.", "4.1/accept-*")
class TakesTheKeyForAccept(Accepting):
    def same(self, value):
        return value in (self.accept(), self.key)


@mutant("One accept value is one too many if it is wrong.", "4.1/accept-twice-*")
class TakesAnyOfTheAccepts(Accepting):
    def same(self, value):
        return value == self.accept()


@mutant("The names of fields have no case.", "4.1/*-capitals", "4.1/*-small-letters")
class ComparesNamesWithCase(Client):
    def parse_head(self, head):
        super().parse_head(head)
        exact = {line.partition(":")[0] for line in head.split("\r\n")[1:]}
        usual = {name: name.title().replace("Websocket", "WebSocket") for name in self.fields}
        self.fields = {name: value for name, value in self.fields.items() if usual[name] in exact}


@mutant("What is nearly a name is another.", "4.1/misspelt-*")
class ReadsMisspeltNames(Client):
    def values(self, name):
        return [value for given, values in self.fields.items() for value in values if given.replace("_", "-").rstrip("s") == name.rstrip("s")]


@mutant("White space around a value has no meaning.", "4.1/*-spaces", "4.1/*-tab", "4.1/*-no-space")
class WantsOneSpace(Client):
    def parse_head(self, head):
        if re.search(r"\r\n[^ \r\n:]+:([^ ]| [ \t])", head):
            raise Refused(400)
        super().parse_head(head)


@mutant("A head may come in pieces.", "4.1/cut-at-*", "4.1/byte-by-byte")
class WantsTheHeadAtOnce(Client):
    def head(self):
        yield
        if b"\r\n\r\n" not in self.buffer:
            raise Refused(400)
        yield from super().head()


@mutant("What is behind the head is frames.", "4.1/early-*")
class ForgetsWhatIsBehindTheHead(Client):
    def head(self):
        yield from super().head()
        self.buffer.clear()


@mutant("An interim answer is not the last.", "4.1/interim-*", should=True)
class TakesAnInterimAnswerForTheLast(Client):
    def parse_head(self, head):
        super().parse_head(head)
        self.status = self.status if self.status == 101 else 400


@mutant("An interim answer says nothing about the next.", "4.1/in-an-interim-answer-*")
class KeepsTheFieldsOfInterimAnswers(Client):
    def parse_head(self, head):
        before = getattr(self, "fields", {})
        super().parse_head(head)
        self.fields = {**before, **self.fields}


@mutant("A subprotocol has to have been offered.", "4.1/subprotocol-*")
class TakesAnySubprotocol(Client):
    def check_protocol(self):
        pass


@mutant("... also when none was.", "4.1/subprotocol-unasked-*")
class TakesSubprotocolsUnasked(Client):
    def check_protocol(self):
        if self.subprotocols:
            super().check_protocol()


@mutant("A subprotocol has case.", "4.1/subprotocol-*")
class ComparesSubprotocolsWithoutCase(Client):
    def check_protocol(self):
        if any(value.lower() not in self.subprotocols for value in self.values("sec-websocket-protocol")):
            raise Refused(400)


@mutant("One subprotocol is chosen.", "4.1/subprotocol-*")
class TakesSeveralSubprotocols(Client):
    def check_protocol(self):
        if any(value not in self.subprotocols for value in words(self.values("sec-websocket-protocol"))):
            raise Refused(400)


# ---- Extensions


@mutant("An extension has to have been offered.", "9.1/*")
class TakesAnyExtension(Client):
    def check_extensions(self):
        try:
            super().check_extensions()
        except Refused:
            pass


@mutant("... also the one that it knows.", "9.1/unoffered-*")
class TakesDeflateUnasked(Client):
    def check_extensions(self):
        self.offer = self.offer or "permessage-deflate; client_max_window_bits"
        super().check_extensions()


@mutant("A list of extensions is well-formed.", "9.1/malformed-*")
class ForgivesBadExtensions(Client):
    def offers(self):
        try:
            return super().offers()
        except Refused:
            return []


@mutant("An extension is accepted once.", "9.1/other-*", "9.1/two-*")
class TakesAnExtensionTwice(Client):
    def offers(self):
        return super().offers()[:1]

    def values(self, name):
        values = super().values(name)
        return [", ".join(values)] if name == "sec-websocket-extensions" and values else values


@mutant("A parameter has to be known.", "7692:7.1/bad-*")
class TakesUnknownParameters(Client):
    def suits(self, parameters):
        return super().suits([(name, value) for name, value in parameters if name.endswith(("takeover", "bits"))])


@mutant("A parameter comes once.", "7692:7.1/twice-*")
class TakesParametersTwice(Client):
    def suits(self, parameters):
        return super().suits(list(dict(parameters).items()))


@mutant("A flag has no value.", "7692:7.1/bad-*")
class TakesValuesOfFlags(Client):
    def suits(self, parameters):
        return super().suits([(name, None if name.endswith("takeover") else value) for name, value in parameters])


@mutant("Window bits are 8 to 15, as they are written.", "7692:7.1/bad-*")
class ReadsWindowBitsLoosely(Client):
    def suits(self, parameters):
        return super().suits([(name, value and re.sub(r"^0(?=[89]$|1[0-5]$)", "", value)) for name, value in parameters])

    def agree(self, given):
        super().agree({name: value for name, value in given.items() if value is None or len(value) < 3})


@mutant("client_max_window_bits has a value in an answer.", "7692:7.1/bad-client-bits-none")
class TakesClientBitsWithoutAValue(Client):
    def offers(self):
        return [(name, [part for part in given if part != ("client_max_window_bits", None)]) for name, given in super().offers()]


@mutant("client_max_window_bits has to have been offered.", "7692:7.1/unasked-*")
class TakesALimitUnasked(Client):
    def asked(self):
        return {"client_max_window_bits": None, **super().asked()}


@mutant("The answer does not raise what was offered.", "7692:7.1/asked-client-*")
class TakesALargerWindow(Client):
    def within(self, asked, given, name):
        return name in asked and name in given


@mutant("What was asked of the server has to be confirmed.", "7692:7.1/asked-server-*", should=True)
class TrustsTheServer(Client):
    def keeps_to_the_offer(self, given):
        return "client_max_window_bits" not in given or self.within(self.asked(), given, "client_max_window_bits")


@mutant("The client keeps to its window.", "7692:7.1/*client-bits-9*", "7692:7.1/window-client-*")
class CompressesWithTheWholeWindow(Client):
    def agree(self, given):
        super().agree(given)
        self.server_bits = 15


@mutant("The client forgets its window where it was told to.", "7692:7.1/*-client-forgets*")
class KeepsItsWindow(Client):
    def agree(self, given):
        super().agree(given)
        self.server_keeps = True


@mutant("The server's window is kept between messages.", "7692:7.1/hello-twice", "7692:7.1/hundred-*")
class ForgetsTheServersWindow(Client):
    def agree(self, given):
        super().agree(given)
        self.client_keeps = False


@mutant("The server's window is as large as was said.", "7692:7.1/window-*")
class InflatesWithASmallWindow(Client):
    def agree(self, given):
        super().agree(given)
        self.client_bits = min(self.client_bits, 12)


@mutant("Nothing is compressed that was not agreed on.", "7692:7.1/declined-*")
class CompressesWithoutAnAgreement(Client):
    def check_extensions(self):
        super().check_extensions()
        self.deflate = bool(self.offer)


# ---- Masks


@mutant("A client masks.", "5.3/*", "5.2/length-5-*")
class DoesNotMask(Client):
    def mask_key(self, opcode):
        return None


@mutant("A client masks its pongs too.", "5.5.2/*")
class DoesNotMaskPongs(Client):
    def mask_key(self, opcode):
        return None if opcode == 10 else super().mask_key(opcode)


@mutant("A client masks its close frames too.", "5.5.1/*")
class DoesNotMaskCloseFrames(Client):
    def mask_key(self, opcode):
        return None if opcode == 8 else super().mask_key(opcode)


@mutant("The payload is masked with the key that is sent.", "5.3/*")
class SaysItMasks(Client):
    def masked(self, payload, key):
        return payload


@mutant("The key cannot be told.", "5.3/*")
class MasksWithZeros(Client):
    def mask_key(self, opcode):
        return bytes(4)


@mutant("The key is new with each frame.", "5.3/*")
class KeepsOneKey(Client):
    def mask_key(self, opcode):
        self.kept = getattr(self, "kept", None) or os.urandom(4)
        return self.kept


@mutant("The key is new with each connection.", "5.2/length-*")
class MasksByTheSameSeed(Client):
    def mask_key(self, opcode):
        self.keys = getattr(self, "keys", itertools.count(0x12345678, 0x9E3779B1))
        return (next(self.keys) & 0xFFFFFFFF).to_bytes(4, "big")


@mutant("The key is no counter.", "5.3/fresh-*")
class CountsItsKeys(Client):
    def mask_key(self, opcode):
        self.number = getattr(self, "number", int.from_bytes(os.urandom(4), "big")) + 1
        return (self.number & 0xFFFFFFFF).to_bytes(4, "big")


@mutant("The key is all of its 32 bits.", "5.3/fresh-*")
class MasksWithSmallKeys(Client):
    def mask_key(self, opcode):
        return b"\0\0" + os.urandom(2)


@mutant("Two keys are not enough.", "5.3/fresh-*")
class TakesTurnsWithTwoKeys(Client):
    def mask_key(self, opcode):
        self.keys = getattr(self, "keys", None) or [os.urandom(4), os.urandom(4)]
        self.keys.reverse()
        return self.keys[0]


@mutant("A server does not mask.", "5.1/*")
class TakesMaskedFrames(Client):
    def check_masked(self, masked):
        pass
