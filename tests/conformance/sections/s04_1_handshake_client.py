"""The opening handshake, as a client sees it (RFC 6455 section 4.1, RFC 9112)."""

from answers import LENGTH, WRONG, answer
from cases import CLIENT, Section
from outcomes import answers, drops, early, echoes, either, fails, non_strict, opens
from script import fin, reset, split
from wire import RSV1, WRONG as WRONG_MASK, Frame, binary, close, cont, letters, octets, ping, pong, text

LINES = {
    "upgrade": "Upgrade: websocket",
    "connection": "Connection: Upgrade",
    "sec-websocket-accept": "Sec-WebSocket-Accept: {accept}",
}
NAMES = {"upgrade": "Upgrade", "connection": "Connection", "sec-websocket-accept": "Sec-WebSocket-Accept"}


def may(outcome, *others):
    return either(outcome, non_strict(*others))


def with_lines(name, *lines):
    """An answer in which that field is written so."""
    return answer(without=[NAMES[name]], more=lines)


# ---- What a client asks. All that it says is judged in each case.

S = Section("4.1", "The client's request", roles=(CLIENT,))

TARGETS = "The request is a GET of HTTP/1.1 for the path and query of the URL (4.1, 2 and 3)."
for name, target in {
    "root": "/",
    "none": "",
    "path": "/chat",
    "deep": "/a/b/c/d/e/f",
    "slash-behind": "/chat/",
    "query": "/chat?room=1",
    "query-on-root": "/?room=1",
    "query-without-path": "?room=1",
    "query-empty-value": "/?a=&b",
    "query-with-marks": "/?a/b?c:d@e",
    "escapes": "/%20%C3%A9%2F?x=%26%3D%25",
    "escaped-hash": "/a%23b?c%23d",
    "marks": "/:@!$&()*+,;=-._~",
    "long": "/" + "abcdefghi/" * 100,
    "long-query": "/?" + "k=v&" * 250,
}.items():
    S.case(f"target-{name}", TARGETS, answer(), opens(), target=target)

HOST = "Host has the URL's host, and its port where it is not the default (4.1, 4)."
S.case("host-name", HOST, answer(), opens(), host="localhost")
S.case("host-name-capitals", HOST, answer(), opens(), host="LocalHost")
S.case("host-address", HOST, answer(), opens(), host="127.0.0.1")

FRESH = "The key is base64 of 16 bytes, chosen anew for each connection (4.1, 7)."
for n in range(10):
    S.case(f"key-fresh-{n}", FRESH, answer(), opens())

NAMED = "Subprotocols are offered as they were given, and one of them may be chosen (4.1, 10)."
ONE, THREE = ("chat",), ("chat", "superchat", "v1.chat.example")
chosen = lambda name: answer(more=[f"Sec-WebSocket-Protocol: {name}"])
S.case("subprotocol-one", NAMED, chosen("chat"), opens(), subprotocols=ONE)
for name in THREE:
    S.case(f"subprotocol-of-three-{name}", NAMED, chosen(name), opens(), subprotocols=THREE)
S.case("subprotocol-odd-token", NAMED, chosen("!#$%&'*+-.^_`|~1aZ"), opens(), subprotocols=("!#$%&'*+-.^_`|~1aZ",))
S.case("subprotocol-twelve", NAMED, chosen("p11"), opens(), subprotocols=tuple(f"p{n}" for n in range(12)))
S.case(
    "subprotocol-none-chosen",
    "A server may choose none (4.2.2, 5.5); a client may want one.",
    answer(),
    may(opens(), drops()),
    subprotocols=THREE,
)

OFFERED = "The offer of an extension is well-formed, and may be declined by silence (9.1)."
for name, parameters in {
    "plain": "",
    "client-bits": "; client_max_window_bits",
    "client-bits-10": "; client_max_window_bits=10",
    "server-bits-10": "; server_max_window_bits=10; client_max_window_bits",
    "server-forgets": "; server_no_context_takeover; client_max_window_bits",
    "both-forget": "; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
}.items():
    S.case(f"offer-{name}", OFFERED, answer(), opens(), asks="permessage-deflate" + parameters)

# ---- What a client must take

S = Section("4.1", "Answers to take", roles=(CLIENT,))

S.case("plain", "An answer with what is required, and nothing else, is taken.", answer(), opens())
PIECES = "An answer may come in any pieces."
S.case("byte-by-byte", PIECES, split(answer(), every=1), opens())
for size in (2, 3, 5, 7, 16, 64):
    S.case(f"pieces-of-{size}", PIECES, split(answer(), every=size), opens())
for at in range(1, LENGTH):
    S.case(f"cut-at-{at}", PIECES, split(answer(), at=[at]), opens())

for name, line in LINES.items():
    field, _, value = line.partition(": ")
    rule = "Names of fields have no case; white space around values has no meaning (RFC 9112 section 5)."
    for way, changed in {
        "small-letters": f"{field.lower()}: {value}",
        "capitals": f"{field.upper()}: {value}",
        "mixed-case": f"{field.swapcase()}: {value}",
        "no-space": f"{field}:{value}",
        "spaces": f"{field}:   {value}   ",
        "tab": f"{field}:\t{value}\t",
    }.items():
        S.case(f"{name}-{way}", rule, with_lines(name, changed), opens())

for value in ("WebSocket", "WEBSOCKET", "wEbSoCkEt"):
    S.case(f"upgrade-value-{value}", "Upgrade is compared without case (4.1, 2).", answer(Upgrade=value), opens())
CONNECTION = "Connection is a list that has the token 'Upgrade', in any case (4.1, 3)."
for name, value in {
    "small": "upgrade",
    "capitals": "UPGRADE",
    "last": "keep-alive, Upgrade",
    "first": "Upgrade, keep-alive",
    "middle": "a, Upgrade, b",
    "tight": "a,upgrade",
    "loose": "a ,\t Upgrade ",
    "empty-elements": ", ,Upgrade,",
}.items():
    S.case(f"connection-value-{name}", CONNECTION, answer(Connection=value), opens())
S.case("connection-two-lines", CONNECTION, with_lines("connection", "Connection: keep-alive", "Connection: Upgrade"), opens())
backwards = "\r\n".join(["HTTP/1.1 101 Switching Protocols", *reversed(LINES.values()), "", ""]).encode()
S.case("order", "The order of fields has no meaning.", backwards, opens())

MORE = "Other fields do not matter."
for name, more in {
    "common": ["Server: x/1.0 (y)", "Date: Sun, 06 Nov 1994 08:49:37 GMT", "Via: 1.1 proxy", "Cache-Control: no-store"],
    "cookies": ["Set-Cookie: a=b; Path=/", "Set-Cookie: c=d; HttpOnly"],
    "unknown": ['X-Unknown: :;,"()<>@'],
    "empty-value": ["X-Empty:"],
    "fifty": [f"X-Field-{n}: {n}" for n in range(50)],
    "long-value": ["X-Long: " + "v" * 4000],
    "token-name": ["!#$%&'*+-.^_`|~1aZ: x"],
    "latin1": ["X-Latin: caf\xe9"],
    "similar-names": ["Sec-WebSocket-Accepted: no", "X-Sec-WebSocket-Accept: x", "Sec-WebSocket: y", "Upgrades: h2c"],
    "version": ["Sec-WebSocket-Version: 13"],
    "the-key": ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
}.items():
    S.case(f"more-{name}", MORE, answer(more=more), opens())

REASON = "The words behind the status have no meaning (RFC 9112 section 4)."
for name, line in {
    "none": "HTTP/1.1 101 ",
    "other": "HTTP/1.1 101 Web Socket Protocol Handshake",
    "misleading": "HTTP/1.1 101 404 Not Found",
    "latin1": "HTTP/1.1 101 D\xe9j\xe0 vu",
    "long": "HTTP/1.1 101 " + "words " * 100,
    "tab": "HTTP/1.1 101 a\tb",
}.items():
    S.case(f"reason-{name}", REASON, answer(line=line), opens())

EARLY = "What stands behind the empty line is frames already, wherever TCP cuts it."
greeting = [text("early")]
S.case("early-message", EARLY, [answer(), *greeting], opens("early"))
S.case("early-hundred", EARLY, [answer(), *[text(f"n {n}") for n in range(100)]], opens(*[f"n {n}" for n in range(100)]))
S.case("early-large", EARLY, [answer(), binary(octets(200_000))], opens(octets(200_000)))
S.case("early-fragments", EARLY, [answer(), text("a", fin=False), ping(b"?"), cont("b")], early(echoes()))
S.case("early-ping", EARLY, [answer(), ping(b"early")], early(echoes()))
S.case("early-pong", EARLY, [answer(), pong(b"early"), text("x")], early(echoes()))
S.case("early-byte-by-byte", EARLY, split(answer(), *greeting, every=1), opens("early"))
for at in range(LENGTH - 6, LENGTH + 7):
    S.case(f"early-cut-at-{at}", EARLY, split(answer(), *greeting, at=[at]), opens("early"))
for size in (3, 61, 100):
    S.case(f"early-pieces-of-{size}", EARLY, split(answer(), *greeting, ping(b"x"), binary(octets(300)), every=size), early(echoes()))
S.case("early-close", EARLY, [answer(), close(1000)], early(answers(1000)))
S.case("early-empty-close", EARLY, [answer(), close()], early(answers(None)))
S.case("early-message-and-close", EARLY, [answer(), text("x"), close(1001)], early(answers(1001)))
BAD_EARLY = "... and are held to the rules."
for name, (frame, code) in {
    "opcode": (Frame(3), 1002),
    "masked": (text("x", mask=WRONG_MASK), 1002),
    "reserved-bit": (text("x", rsv=RSV1), 1002),
    "continuation": (cont("x"), 1002),
    "utf8": (text(b"\xff"), 1007),
    "code": (close(1005), 1002),
    "http": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + letters(100), 1002),
    "line-end": (b"\r\n", 1002),
}.items():
    S.case(f"early-bad-{name}", BAD_EARLY, [answer(), frame], early(fails(code)))

INTERIM = "Interim answers may come before the one that counts (RFC 9110 section 15.2)."
for name, lines in {
    "100": ["HTTP/1.1 100 Continue"],
    "102": ["HTTP/1.1 102 Processing"],
    "103": ["HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload"],
    "199": ["HTTP/1.1 199 Odd"],
    "two": ["HTTP/1.1 100 Continue", "HTTP/1.1 103 Early Hints"],
}.items():
    before = "".join(f"{line}\r\n\r\n" for line in lines).encode()
    S.case(f"interim-{name}", INTERIM, before + answer(), may(opens(), drops()))
S.case("interim-with-fields", INTERIM, answer(line="HTTP/1.1 100 Continue") + answer(), may(opens(), drops()))
S.case("interim-cut", INTERIM, split(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(), every=7), may(opens(), drops()))

FOLDED = "A folded line is one line; or is refused (RFC 9112 section 5.2)."
for name, more in {"other": ["X-Folded: a", " b"], "other-tab": ["X-Folded: a", "\tb"], "other-thrice": ["X-Folded: a", " b", " c"]}.items():
    S.case(f"folded-{name}", FOLDED, answer(more=more), may(opens(), drops()))
for name, line in LINES.items():
    S.case(f"folded-{name}", FOLDED, with_lines(name, line.replace(": ", ":\r\n ")), may(opens(), drops()))

LENIENT = "What HTTP leaves to the recipient's leniency (RFC 9112 sections 2.2, 4 and 5.1)."
S.case("line-feeds", LENIENT, answer()[:-4].replace(b"\r\n", b"\n") + b"\r\n\r\n", either(opens(), drops()))
S.case("line-feed-once", LENIENT, answer().replace(b"\r\nUp", b"\nUp"), either(opens(), drops()))
S.case("empty-line-before", LENIENT, b"\r\n" + answer(), either(opens(), drops()))
S.case("no-space-behind-101", LENIENT, answer(line="HTTP/1.1 101"), either(opens(), drops()))
S.case("two-spaces", LENIENT, answer(line="HTTP/1.1  101 x"), either(drops(), non_strict(opens())))
S.case("space-before-colon", LENIENT, answer(more=["X-Space : y"]), either(drops(), non_strict(opens())))
S.case("length-0", "A 101 has no content; a field that says so is wrong, but does no harm.", answer(more=["Content-Length: 0"]), either(opens(), drops()))
S.case("http-1.0", "HTTP/1.0 has no upgrade (RFC 9110 section 7.8).", answer(line="HTTP/1.0 101 x"), either(drops(), non_strict(opens())))

# ---- What a client must not take

S = Section("4.1", "Answers to refuse", roles=(CLIENT,))


def bad(name, rule, *script, **needs):
    S.case(name, rule, list(script), drops(), **needs)


def nearly(name, rule, *script, **needs):
    """For what is wrong, but what a lenient client may make out."""
    S.case(name, rule, list(script), may(drops(), opens()), **needs)


MISSING = "Without this field the client MUST fail the connection (4.1, 2 to 4)."
for name in LINES:
    bad(f"without-{name}", MISSING, with_lines(name))
    bad(f"empty-{name}", MISSING, with_lines(name, f"{NAMES[name]}:"))
    bad(f"empty-with-spaces-{name}", MISSING, with_lines(name, f"{NAMES[name]}:   "))
bad("without-any", MISSING, b"HTTP/1.1 101 Switching Protocols\r\n\r\n")

MISSPELT = "A name that is nearly right is another name."
for name, spellings in {
    "upgrade": ("Upgarde", "Upgrade-", "Upgrad", "Upgrades", "X-Upgrade", "Up-grade"),
    "connection": ("Conection", "Connections", "Connectio", "Proxy-Connection", "X-Connection"),
    "sec-websocket-accept": (
        "Sec-WebSocket-Acept", "Sec-WebSocket-Accep", "Sec-WebSocket-Accepts", "Sec_WebSocket_Accept", "SecWebSocketAccept",
        "WebSocket-Accept", "Sec-Web-Socket-Accept", "Sec-WebSocket-Key", "Sec-WebSockets-Accept", "X-Sec-WebSocket-Accept",
    ),
}.items():
    value = LINES[name].partition(": ")[2]
    for spelling in spellings:
        bad(f"misspelt-{spelling.lower()}", MISSPELT, with_lines(name, f"{spelling}: {value}"))
    nearly(f"space-before-colon-{name}", "No white space before the colon (RFC 9112 section 5.1).", with_lines(name, f"{NAMES[name]} : {value}"))
    bad(f"no-colon-{name}", "A field has a colon.", with_lines(name, f"{NAMES[name]} {value}"))
    bad(f"in-the-value-{name}", "A field begins its line.", with_lines(name, f"X-Other: {LINES[name]}"))
    bad(f"behind-the-head-{name}", "The head ends with the empty line.", with_lines(name) + LINES[name].encode() + b"\r\n\r\n")
    bad(f"in-an-interim-answer-{name}", "An interim answer says nothing about the next.",
        answer(line="HTTP/1.1 103 Early Hints") + with_lines(name))

UPGRADE = "The value of Upgrade is 'websocket'."
for name, value in {
    "other": "h2c", "websockets": "websockets", "web-socket": "web-socket", "websocke": "websocke", "ws": "ws", "quoted": '"websocket"',
    "with-version": "websocket/13", "xwebsocket": "xwebsocket", "spaced": "web socket", "tls": "TLS/1.0", "101": "101",
}.items():
    bad(f"upgrade-{name}", UPGRADE, answer(Upgrade=value))
nearly("upgrade-list", UPGRADE, answer(Upgrade="websocket, h2c"))
nearly("upgrade-list-last", UPGRADE, answer(Upgrade="h2c, websocket"))
nearly("upgrade-twice", UPGRADE, with_lines("upgrade", "Upgrade: websocket", "Upgrade: websocket"))
nearly("upgrade-twice-differently", UPGRADE, with_lines("upgrade", "Upgrade: websocket", "Upgrade: h2c"))

TOKENS = "Connection has the token 'Upgrade'."
for name, value in {
    "close": "close", "keep-alive": "keep-alive", "upgrades": "Upgrades", "upgrad": "Upgrad", "quoted": '"Upgrade"', "semicolon": "a; Upgrade",
    "websocket": "websocket", "not-upgrade": "not-upgrade", "spaced": "a Upgrade b", "prefix": "upgrade-insecure-requests", "equals": "x=Upgrade",
}.items():
    bad(f"connection-{name}", TOKENS, answer(Connection=value))

ACCEPT = "A Sec-WebSocket-Accept that is not made of this key and the GUID fails the connection (4.1, 4)."
for name in WRONG:
    bad(f"accept-{name}", ACCEPT, answer(Sec_WebSocket_Accept=f"{{{name}}}"))
ONCE = "Sec-WebSocket-Accept MUST NOT appear more than once (11.3.3)."
twice = lambda first, second: with_lines("sec-websocket-accept", *[f"Sec-WebSocket-Accept: {{{name}}}" for name in (first, second)])
nearly("accept-twice", ONCE, twice("accept", "accept"))
bad("accept-twice-wrong-second", ONCE, twice("accept", "of-no-key"))
bad("accept-twice-wrong-first", ONCE, twice("of-no-key", "accept"))

STATUS = "Any status but 101 is an answer of HTTP (4.1, 1): no connection, whatever its fields are."
STATUSES = (200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 403, 404, 405, 406, 407, 408, 409, 410)
STATUSES += (411, 413, 414, 417, 418, 421, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 511, 599)
body = text("hello?").encode(False)
for status in STATUSES:
    bodiless = status in (204, 205, 304)
    more = [] if bodiless else [f"Content-Length: {len(body)}"]
    refusal = answer(line=f"HTTP/1.1 {status} Reason", more=more)
    bad(f"status-{status}", STATUS, [refusal] if bodiless else [refusal, body], fin())
for status in (301, 302, 307, 308):
    refusal = answer(line=f"HTTP/1.1 {status} Moved", more=["Location: http://{host}/elsewhere", f"Content-Length: {len(body)}"])
    bad(f"status-{status}-elsewhere", STATUS, refusal, body, fin())
asking = ['WWW-Authenticate: Basic realm="x"', f"Content-Length: {len(body)}"]
bad("status-401-asking", STATUS, answer(line="HTTP/1.1 401 Unauthorized", more=asking), body, fin())
bad("status-200-chunked", STATUS, answer(line="HTTP/1.1 200 OK", more=["Transfer-Encoding: chunked"]) + b"8\r\n" + body + b"\r\n0\r\n\r\n", fin())
bad("status-200-until-the-end", STATUS, answer(line="HTTP/1.1 200 OK", more=["Connection: close"]) + body, fin())
bad("status-503-retry", STATUS, answer(line="HTTP/1.1 503 Busy", more=["Retry-After: 1", f"Content-Length: {len(body)}"]), body, fin())
bad("status-100-alone", STATUS, answer(line="HTTP/1.1 100 Continue"), fin())

LINE = "A status line is HTTP/1.1, a space, three digits, a space (RFC 9112 section 4)."
for name, line in {
    "0101": "HTTP/1.1 0101 x",
    "1010": "HTTP/1.1 1010 x",
    "10": "HTTP/1.1 10 x",
    "10a": "HTTP/1.1 10a x",
    "101x": "HTTP/1.1 101x",
    "hexadecimal": "HTTP/1.1 0x65 x",
    "plus": "HTTP/1.1 +101 x",
    "minus": "HTTP/1.1 -101 x",
    "no-status": "HTTP/1.1 Switching Protocols",
    "only-version": "HTTP/1.1",
    "reason-first": "HTTP/1.1 x 101",
    "no-version": "101 Switching Protocols",
    "of-a-request": "GET / HTTP/1.1",
    "other-protocol": "SIP/2.0 101 x",
    "icy": "ICY 101 x",
    "nonsense": "hello",
    "without": "",
}.items():
    bad(f"line-{name}", LINE, answer(line=line))
for name, line in {
    "small-letters": "http/1.1 101 x",
    "http-2": "HTTP/2.0 101 x",
    "http-0.9": "HTTP/0.9 101 x",
    "http-1.10": "HTTP/1.10 101 x",
    "http-11": "HTTP/11 101 x",
    "http-1": "HTTP/1 101 x",
    "tab": "HTTP/1.1\t101\tx",
    "space-before": " HTTP/1.1 101 x",
}.items():
    nearly(f"line-{name}", LINE, answer(line=line))

CONTROL = "No control bytes in a head (RFC 9110 section 5.5)."
for name, more in {
    "nul-in-value": ["X-Nul: a\0b"],
    "nul-in-name": ["X\0Nul: a"],
    "return-in-value": ["X-Return: a\rb"],
    "bell-in-value": ["X-Bell: a\x07b"],
    "space-in-name": ["X Space: a"],
    "empty-name": [": a"],
    "name-in-latin1": ["X-caf\xe9: a"],
    "name-in-brackets": ["[x]: a"],
    "no-colon": ["X-No-Colon"],
}.items():
    nearly(f"field-{name}", CONTROL, answer(more=more))
for name, line in LINES.items():
    bad(f"nul-behind-{name}", CONTROL, with_lines(name, line + "\0"))
    bad(f"return-inside-{name}", CONTROL, with_lines(name, line.replace("e", "e\r", 1)))
for name, more in {"chunked": "Transfer-Encoding: chunked", "length": "Content-Length: 10"}.items():
    rule = "A 101 ends with its head, whatever its fields say (RFC 9112 section 6.3)."
    S.case(f"content-{name}", rule, answer(more=[more]), either(opens(), drops()))

UNASKED = "A subprotocol that was not offered fails the connection (4.1, 6)."
for name, value in {"one": "chat", "empty": "", "list": "chat, superchat", "null": "null"}.items():
    make = may if name == "empty" else lambda outcome, _: outcome
    S.case(f"subprotocol-unasked-{name}", UNASKED, answer(more=[f"Sec-WebSocket-Protocol: {value}"]), make(drops(), opens()), subprotocols=())
for name, value in {
    "other": "other", "other-case": "Chat", "capitals": "CHAT", "prefix": "cha", "longer": "chat2", "list": "chat, superchat",
    "list-tight": "chat,superchat", "all": "chat, superchat, v1.chat.example", "quoted": '"chat"', "parameter": "chat; a=b", "spaced": "chat superchat",
}.items():
    bad(f"subprotocol-{name}", UNASKED, chosen(value), subprotocols=THREE)
S.case("subprotocol-empty", UNASKED, chosen(""), may(drops(), opens()), subprotocols=THREE)
PROTOCOL_ONCE = "Sec-WebSocket-Protocol MUST NOT appear more than once (11.3.4)."
chat = "Sec-WebSocket-Protocol: chat"
nearly("subprotocol-twice", PROTOCOL_ONCE, answer(more=[chat, chat]), subprotocols=THREE)
bad("subprotocol-twice-other", PROTOCOL_ONCE, answer(more=[chat, "Sec-WebSocket-Protocol: superchat"]), subprotocols=THREE)

ENDS = "An answer that does not come whole is none."
S.case("fin-at-once", ENDS, fin(), drops())
S.case("reset-at-once", ENDS, reset(), drops())
for at in (1, 8, 12, 34, 35, 60, 90, LENGTH - 4, LENGTH - 3, LENGTH - 2, LENGTH - 1):
    whole = answer(Sec_WebSocket_Accept="s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    bad(f"fin-at-{at}", ENDS, whole[:at], fin())
S.case("reset-inside", ENDS, [answer()[:50], reset()], drops())
for name, data in {
    "frames": text("Hello").encode(False) * 20,
    "tls": b"\x15\x03\x03\x00\x02\x02\x28" * 10,
    "http-2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" * 10,
    "zeros": bytes(1000),
    "ones": b"\xff" * 1000,
    "html": b"<!DOCTYPE html>\r\n<title>x</title>\r\n\r\n" * 10,
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "smtp": b"220 mail.example ESMTP\r\n",
    "line-ends": b"\r\n" * 500,
}.items():
    bad(f"instead-{name}", "What is no HTTP is no answer.", data, fin())

ENDLESS = "A head without an end is given up (10.4)."
MUCH = 8 << 20
for name, data in {
    "reason": b"HTTP/1.1 101 " + letters(MUCH),
    "name": b"HTTP/1.1 101 x\r\n" + letters(MUCH),
    "value": b"HTTP/1.1 101 x\r\nX: " + letters(MUCH),
    "fields": b"HTTP/1.1 101 x\r\n" + b"X-Field: value\r\n" * (MUCH // 16),
    "folded": b"HTTP/1.1 101 x\r\nX: y\r\n" + b" and more\r\n" * (MUCH // 11),
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n" * (MUCH // 25),
}.items():
    bad(f"endless-{name}", ENDLESS, data, fin())

# ---- Extensions

S = Section("9.1", "Extensions that a server names", roles=(CLIENT,))
DEFLATE = "permessage-deflate"
BITS = f"{DEFLATE}; client_max_window_bits"

UNOFFERED = "An extension that was not offered fails the connection (4.1, 5)."
for name, value in {
    "deflate": DEFLATE, "unknown": "x-unknown", "parameters": "x-unknown; a=b", "two": f"{DEFLATE}, x-unknown", "frame": "x-webkit-deflate-frame",
}.items():
    bad = lambda name, rule, value, **needs: S.case(name, rule, answer(more=[f"Sec-WebSocket-Extensions: {value}"]), drops(), **needs)
    bad(f"unoffered-{name}", UNOFFERED, value, asks="")
for name, value in {
    "unknown": "x-unknown", "besides": f"{DEFLATE}, x-unknown", "before": f"x-unknown, {DEFLATE}", "frame": "x-webkit-deflate-frame",
    "bzip2": "permessage-bzip2", "prefix": "permessage-deflat", "longer": "permessage-deflate2", "twice": f"{DEFLATE}, {DEFLATE}",
    "underscore": "permessage_deflate", "quoted": f'"{DEFLATE}"',
}.items():
    bad(f"other-{name}", UNOFFERED, value, asks=BITS)

MALFORMED = "What is no list of extensions fails the connection (9.1)."
for name, value in {
    "semicolon": f"{DEFLATE};", "semicolons": f"{DEFLATE};; server_no_context_takeover", "no-name": "; server_no_context_takeover",
    "equals": f"{DEFLATE}; =", "no-value": f"{DEFLATE}; server_max_window_bits=", "no-key": f"{DEFLATE}; =10", "space": f"{DEFLATE} x",
    "open-quote": f'{DEFLATE}; server_max_window_bits="10', "empty-quote": f'{DEFLATE}; server_max_window_bits=""', "slash": f"{DEFLATE}/1",
    "quoted-space": f'{DEFLATE}; server_max_window_bits="1 0"', "behind-quote": f'{DEFLATE}; server_max_window_bits="10"x', "braces": f"{{{DEFLATE}}}",
    "two-equals": f"{DEFLATE}; server_max_window_bits==10",
}.items():
    bad(f"malformed-{name}", MALFORMED, value, asks=BITS)
S.case("empty", "An empty list names none.", answer(more=["Sec-WebSocket-Extensions:"]), either(opens(), drops()), asks=BITS)
EXTENSIONS_ONCE = "Sec-WebSocket-Extensions MUST NOT appear more than once in an answer (11.3.2)."
line = f"Sec-WebSocket-Extensions: {DEFLATE}"
S.case("two-lines", EXTENSIONS_ONCE, answer(more=[line, line]), drops(), asks=BITS)
S.case("two-lines-one-empty", EXTENSIONS_ONCE, answer(more=[line, "Sec-WebSocket-Extensions:"]), may(drops(), opens()), answer=DEFLATE, asks=BITS)
for spelling in ("sec-websocket-extensions", "SEC-WEBSOCKET-EXTENSIONS", "sEC-wEBsOCKET-eXTENSIONS"):
    taken = answer(more=[f"{spelling}: {DEFLATE}"])
    hello = Frame(1, bytes.fromhex("f248cdc9c90700"), rsv=RSV1)
    S.case(f"name-{spelling}", "Names of fields have no case.", [taken, hello], opens("Hello"), answer=DEFLATE, asks=BITS)
