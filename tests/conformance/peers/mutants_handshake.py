"""mutants_handshake.py - broken servers: the opening handshake. See mutant.py."""

from mutant import mutant
from strict import Echo, Refused, words


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
