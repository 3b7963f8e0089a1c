"""The opening handshake, as a server sees it (RFC 6455 section 4.2, RFC 9112)."""

import base64

from cases import SERVER, Section
from heads import FIELDS, request
from outcomes import accepts, either, non_strict, refuses
from script import split
from wire import KEY

LINES = {
    "Host": "Host: {host}",
    "Upgrade": "Upgrade: websocket",
    "Connection": "Connection: Upgrade",
    "Sec-WebSocket-Key": f"Sec-WebSocket-Key: {KEY}",
    "Sec-WebSocket-Version": "Sec-WebSocket-Version: 13",
}


def with_line(name, line):
    """A request in which that field is written so."""
    return request(without=[name], more=[line])


def may(outcome, *others):
    return either(outcome, non_strict(*others))


# ---- What a server must take

S = Section("4.2.1", "Reading the client's handshake", roles=(SERVER,))

S.case("plain", "A handshake with what is required, and nothing else, is accepted.", request(), accepts())
S.case("byte-by-byte", "A handshake may come in any pieces.", split(request(), every=1), accepts())
for size in (2, 3, 7, 16, 64):
    S.case(f"pieces-of-{size}", "A handshake may come in any pieces.", split(request(), every=size), accepts())
for at in range(1, 160):
    S.case(f"cut-at-{at}", "A handshake may come in two pieces, cut anywhere.", split(request(), at=[at]), accepts())
for back in range(1, 5):
    halves = [split(request()[:-back]), split(request()[-back:])]
    S.case(f"cut-{back}-before-the-end", "The empty line may come in pieces.", halves, accepts())

for name, line in LINES.items():
    field, _, value = line.partition(":")
    ways = {
        "small-letters": field.lower() + ":" + value,
        "capitals": field.upper() + ":" + value,
        "mixed-case": field.swapcase() + ":" + value,
        "no-space": field + ":" + value.strip(),
        "spaces": field + ":   " + value.strip() + "   ",
        "tab": field + ":\t" + value.strip() + "\t",
    }
    rule = "Names of fields have no case; white space around values has no meaning (RFC 9112 section 5)."
    for way, changed in ways.items():
        S.case(f"{name.lower()}-{way}", rule, with_line(name, changed), accepts())

backwards = "\r\n".join(["GET {target} HTTP/1.1", *reversed(LINES.values()), "", ""]).encode()
S.case("order", "The order of fields has no meaning.", backwards, accepts())

UPGRADE = "The value of Upgrade is compared without case."
for value in ("WebSocket", "WEBSOCKET", "wEbSoCkEt"):
    S.case(f"upgrade-value-{value}", UPGRADE, request(Upgrade=value), accepts())
for name, value in {"list-first": "websocket, h2c", "list-last": "h2c, websocket", "list-tight": "h2c,websocket"}.items():
    rule = "An Upgrade field containing the value 'websocket'."
    S.case(f"upgrade-value-{name}", rule, request(Upgrade=value), may(accepts(), refuses(400, 426)))

CONNECTION = "A Connection field that includes the token 'Upgrade', compared without case."
for name, value in {
    "small": "upgrade",
    "capitals": "UPGRADE",
    "last": "keep-alive, Upgrade",
    "first": "Upgrade, keep-alive",
    "middle": "keep-alive, Upgrade, te",
    "tight": "keep-alive,Upgrade",
    "loose": "keep-alive ,\t  Upgrade",
    "empty-elements": ", ,Upgrade,",
}.items():
    S.case(f"connection-value-{name}", CONNECTION, request(Connection=value), accepts())
S.case("connection-value-two-lines", CONNECTION, request(Connection="keep-alive", more=["Connection: Upgrade"]), accepts())

MORE = "Other fields do not matter."
for name, more in {
    "common": ["User-Agent: x/1.0 (y)", "Accept: */*", "Accept-Encoding: gzip", "Cache-Control: no-cache", "Pragma: no-cache"],
    "cookie": ["Cookie: a=b; c=d"],
    "unknown": ["X-Unknown: :;,\"()<>@"],
    "empty-value": ["X-Empty:"],
    "fifty": [f"X-Field-{n}: {n}" for n in range(50)],
    "long-value": ["X-Long: " + "v" * 4000],
    "token-name": ["!#$%&'*+-.^_`|~1aZ: x"],
    "user-agent-latin1": ["X-Latin: caf\xe9"],
    "upgrade-insecure": ["Upgrade-Insecure-Requests: 1"],
    "similar-names": ["Sec-WebSocket-Keys: x", "Sec-WebSocket-Version2: 12", "X-Sec-WebSocket-Key: y"],
    "length-0": ["Content-Length: 0"],
}.items():
    S.case(f"more-{name}", MORE, request(more=more), accepts())

S.case("origin-same", "A page of the same host.", request(more=["Origin: http://{host}"]), accepts())
for name, origin in {"other": "http://elsewhere.example", "null": "null", "odd": "it's odd"}.items():
    S.case(
        f"origin-{name}",
        "A server that does not like the Origin answers 403; it need not look at it.",
        request(more=[f"Origin: {origin}"]),
        either(accepts(), refuses(403, 400)),
    )

TARGET = "The target may have a query; and may be in absolute form (RFC 9112 section 3.2.2)."
S.case("target-query", TARGET, request(line="GET {target}?a=b&c=%20%C3%A9 HTTP/1.1"), accepts())
S.case("target-absolute", TARGET, request(line="GET http://{host}{target} HTTP/1.1"), may(accepts(), refuses(400, 404)))
S.case(
    "empty-line-before",
    "A server SHOULD ignore an empty line before the request (RFC 9112 section 2.2).",
    b"\r\n" + request(),
    may(accepts(), refuses(400)),
)

# ---- Keys

KEYS = "The key is any base64 of 16 bytes, which the answer proves."
for name, value in {
    "zeros": bytes(16),
    "ones": b"\xff" * 16,
    "plus": b"\xfb\xef\xbe" * 5 + b"\xfb",
    "slash": b"\xff\xff\xff" * 5 + b"\xfc",
    "counting": bytes(range(16)),
    "text": b"sixteen letters!",
}.items():
    key = base64.b64encode(value).decode()
    S.case(f"key-{name}", KEYS, request(Sec_WebSocket_Key=key), accepts())

BAD_KEY = "A key that is not base64 of 16 bytes does not match the description; but it need not be decoded."
for name, key in {
    "15-bytes": base64.b64encode(bytes(15)).decode(),
    "17-bytes": base64.b64encode(bytes(17)).decode(),
    "18-bytes": base64.b64encode(bytes(18)).decode(),
    "12-bytes": base64.b64encode(bytes(12)).decode(),
    "one-letter": "x",
    "no-padding": KEY.rstrip("="),
    "half-padding": KEY[:-1],
    "more-padding": KEY + "=",
    "url-alphabet": "-_-_-_-_-_-_-_-_-_-_-w==",
    "space-inside": KEY[:10] + " " + KEY[11:],
    "stars": "*" * 22 + "==",
    "padding-inside": KEY[:10] + "=" + KEY[11:],
    "latin1": "\xe9" * 22 + "==",
    "list": f"{KEY}, {KEY}",
    "quoted": f'"{KEY}"',
    "very-long": "A" * 4000,
}.items():
    S.case(f"key-{name}", BAD_KEY, request(Sec_WebSocket_Key=key), may(refuses(400), accepts()))
S.case("key-empty", BAD_KEY, request(Sec_WebSocket_Key=""), refuses(400))
S.case(
    "key-unused-bits",
    "Bits of base64 that carry nothing may be refused, or not looked at.",
    request(Sec_WebSocket_Key=KEY[:-3] + "R=="),
    either(refuses(400), accepts()),
)

# ---- What is missing, repeated, misspelt

MISSING = "A handshake that does not match the description is answered by an HTTP error."
STATUSES = {"Upgrade": (400, 426), "Connection": (400, 426), "Sec-WebSocket-Version": (400, 426)}
for name in FIELDS:
    statuses = STATUSES.get(name, (400,))
    label = name.lower()
    S.case(f"without-{label}", MISSING, request(without=[name]), refuses(*statuses))
    misspelt = {
        "cut": LINES[name][1:],
        "longer": LINES[name].replace(":", "s:", 1),
        "underscore": LINES[name].replace("-", "_").replace(":", "_:", 1),
        "x": "X-" + LINES[name],
    }
    for way, line in misspelt.items():
        S.case(f"{label}-misspelt-{way}", MISSING, with_line(name, line), refuses(*statuses))
    empty = refuses(*statuses) if name != "Host" else either(accepts(), refuses(400))
    S.case(f"{label}-empty", MISSING, with_line(name, f"{name}:"), empty)

ONCE = "This field MUST NOT appear more than once (RFC 6455 section 11.3, RFC 9112 section 3.2)."
for name, value in {
    "host-same": "Host: {host}",
    "host-other": "Host: elsewhere.example",
    "sec-websocket-key-same": f"Sec-WebSocket-Key: {KEY}",
    "sec-websocket-key-other": "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==",
    "sec-websocket-version-same": "Sec-WebSocket-Version: 13",
    "sec-websocket-version-other": "Sec-WebSocket-Version: 8",
}.items():
    statuses = (400, 426) if "version" in name else (400,)
    S.case(f"twice-{name}", ONCE, request(more=[value]), refuses(*statuses))
S.case(
    "twice-upgrade",
    "A repeated list is one list.",
    request(more=["Upgrade: websocket"]),
    either(accepts(), refuses(400, 426)),
)

for value in ("web-socket", "websockets", "websocke", "web socket", "h2c", "TLS/1.0", "x-websocket", "websocket;", "ws"):
    S.case(f"upgrade-not-{value.replace(' ', '_').replace('/', '_')}", MISSING, request(Upgrade=value), refuses(400, 426))
for value in ("keep-alive", "close", "Upgrad", "Upgrades", "up grade", "Upgrade;", "x-upgrade, close", "websocket"):
    label = value.replace(" ", "_")
    S.case(f"connection-not-{label}", MISSING, request(Connection=value), refuses(400, 426))

# ---- Methods and versions of HTTP

METHOD = "The method MUST be GET."
for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "get", "GETT", "WEBSOCKET"):
    head = request(line=f"{method} {{target}} HTTP/1.1")
    S.case(f"method-{method}", METHOD, head, refuses(400, 405, 501))
HTTP = "The version of HTTP MUST be at least 1.1."
for version in ("HTTP/1.0", "HTTP/0.9", "HTTP/1", "HTTP/1.", "HTTP/.1", "http/1.1", "HTTP/01.1", "HTTPS/1.1", "1.1", ""):
    head = request(line=f"GET {{target}} {version}".rstrip())
    S.case(f"http-{version or 'none'}".replace("HTTP/", "").replace("/", "_"), HTTP, head, refuses(400, 505, 426))
S.case(
    "http-2.0",
    "A server may not know a higher version.",
    request(line="GET {target} HTTP/2.0"),
    either(refuses(400, 505), accepts()),
)

# ---- Heads that are no heads

SYNTAX = "A head that is malformed is answered by 400 (RFC 9112 sections 2.2, 3, 5)."
for name, more in {
    "no-colon": ["Nonsense"],
    "no-name": [": x"],
    "space-before-colon": ["X-Field : x"],
    "space-in-name": ["X Field: x"],
    "nul-in-value": ["X-Field: a\0b"],
    "nul-in-name": ["X\0Field: ab"],
    "bare-cr": ["X-Field: a\rb"],
    "control-in-name": ["X\x01Field: ab"],
    "brackets-in-name": ["X(Field): ab"],
    "latin1-in-name": ["X-F\xefeld: ab"],
}.items():
    S.case(f"syntax-{name}", SYNTAX, request(more=more), refuses(400))
S.case("syntax-space-first", SYNTAX, request(line=" GET {target} HTTP/1.1"), refuses(400))
S.case("syntax-garbage", SYNTAX, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n", refuses(400))
S.case("syntax-one-word", SYNTAX, b"GET\r\n\r\n", refuses(400))
S.case(
    "syntax-folded",
    "A folded line is refused, or taken as one (RFC 9112 section 5.2).",
    request(more=["X-Field: a", " b"]),
    either(refuses(400), accepts()),
)

# ---- Versions of the protocol

S = Section("4.4", "Versions of the protocol", roles=(SERVER,))

OTHER = "A version that the server does not know is answered by an error and the version that it knows."
for version in ("0", "4", "7", "9", "12", "14", "25", "99", "130", "255"):
    told = refuses(426, 400, field="sec-websocket-version")
    S.case(f"version-{version}", OTHER, request(Sec_WebSocket_Version=version), told)
MALFORMED = "The version is 13, written so."
for name, version in {
    "leading-zero": "013",
    "plus": "+13",
    "minus": "-13",
    "decimal": "13.0",
    "space": "1 3",
    "list-first": "13, 8",
    "list-last": "8, 13",
    "letters": "thirteen",
    "hexadecimal": "0xD",
    "quoted": '"13"',
    "too-large": "256",
    "wraps-8-bits": "269",
    "wraps-32-bits": "4294967309",
}.items():
    S.case(f"version-{name}", MALFORMED, request(Sec_WebSocket_Version=version), refuses(426, 400))
S.case(
    "version-8",
    "A draft's version, which some servers know.",
    request(Sec_WebSocket_Version="8"),
    either(refuses(426, 400), accepts()),
)

# ---- The answer

S = Section("4.2.2", "Sending the server's handshake", roles=(SERVER,))

PROTOCOL = "The server chooses one of the client's subprotocols, or none."
for name, more in {
    "one": ["Sec-WebSocket-Protocol: chat"],
    "two": ["Sec-WebSocket-Protocol: chat, superchat"],
    "two-lines": ["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: superchat"],
    "tight": ["Sec-WebSocket-Protocol: chat,superchat,x"],
    "token-letters": ["Sec-WebSocket-Protocol: v1.chat.example!#$%&'*+-.^_`|~"],
    "case": ["Sec-WebSocket-Protocol: CHAT, chat, Chat"],
    "thirty": ["Sec-WebSocket-Protocol: " + ", ".join(f"p{n}" for n in range(30))],
}.items():
    S.case(f"subprotocol-{name}", PROTOCOL, request(more=more), accepts())
S.case("subprotocol-none", "None was offered, none is chosen.", request(), accepts(subprotocol=[None]))
for name, value in {"empty": "", "comma": ","}.items():
    S.case(
        f"subprotocol-{name}",
        "A list without an element is malformed.",
        request(more=[f"Sec-WebSocket-Protocol: {value}"]),
        either(refuses(400), accepts(subprotocol=[None])),
    )
for name, value in {
    "space": "chat room",
    "slash": "chat/1",
    "quoted": '"chat"',
    "control": "ch\x01at",
    "equals": "a=b",
}.items():
    S.case(
        f"subprotocol-{name}",
        "What is not a token is not a subprotocol (section 11.3.4).",
        request(more=[f"Sec-WebSocket-Protocol: {value}"]),
        may(refuses(400), accepts()),
    )

# ---- Extensions

S = Section("9.1", "Negotiating extensions", roles=(SERVER,))

UNKNOWN = "Extensions that the server does not know are not accepted, and do no harm."
for name, more in {
    "one": ["Sec-WebSocket-Extensions: x-unknown"],
    "several": ["Sec-WebSocket-Extensions: x-one, x-two; a, x-three; b=c; d"],
    "lines": ["Sec-WebSocket-Extensions: x-one", "Sec-WebSocket-Extensions: x-two"],
    "quoted": ['Sec-WebSocket-Extensions: x-one; a="b"'],
    "spaces": ["Sec-WebSocket-Extensions: x-one ; a ,x-two;b"],
    "old-deflate": ["Sec-WebSocket-Extensions: x-webkit-deflate-frame, deflate-frame, permessage-bzip2"],
    "prefix": ["Sec-WebSocket-Extensions: permessage-deflate2, permessage-deflat, xpermessage-deflate"],
    "many": ["Sec-WebSocket-Extensions: " + ", ".join(f"x-{n}; p={n}" for n in range(60))],
}.items():
    S.case(f"unknown-{name}", UNKNOWN, request(more=more), accepts())
S.case(
    "unknown-space-around-equals",
    "White space is implied between the words of the grammar (RFC 2616 section 2.1); but RFC 7230 has ended that.",
    request(more=["Sec-WebSocket-Extensions: x-one; a = b"]),
    either(accepts(), refuses(400)),
)
ABNF = "A value that does not conform to the grammar fails the connection."
for name, value in {
    "no-name": "; a=b",
    "no-parameter": "x-one;",
    "two-semicolons": "x-one;; a",
    "no-value": "x-one; a=",
    "space-in-name": "x one",
    "slash-in-name": "x/one",
    "open-quote": 'x-one; a="b',
    "quoted-space": 'x-one; a="b c"',
    "empty-quoted": 'x-one; a=""',
    "two-equals": "x-one; a=b=c",
    "latin1": "x-\xe9",
}.items():
    S.case(f"grammar-{name}", ABNF, request(more=[f"Sec-WebSocket-Extensions: {value}"]), refuses(400))
