"""answers.py - the opening handshake, as a server sees it: answers to send, right and wrong ones, and what is wrong with a request.

    answer()                                    the answer of a server
    answer(without=["Upgrade"])                 without that field
    answer(Upgrade="WebSocket", more=["X: y"])  with another value, and with further lines
    answer(Sec_WebSocket_Accept="{of-no-key}")  one of WRONG, which depends on the key
"""

import base64
import binascii
import hashlib
import re

from heads import well_formed
from wire import GUID, accept_of, extensions

FIELDS = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": "{accept}"}


def answer(line="HTTP/1.1 101 Switching Protocols", without=(), more=(), **change):
    """The bytes of an answer; {accept} in it stands for what belongs to the key. Fields are changed by name."""
    fields = {**FIELDS, **{name.replace("_", "-"): value for name, value in change.items()}}
    lines = [line, *[f"{name}: {value}" for name, value in fields.items() if name not in without], *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


LENGTH = len(answer()) - len("{accept}") + len(accept_of(""))


def digest(text, how=hashlib.sha1):
    return base64.b64encode(how(text.encode("latin-1")).digest()).decode()


def padding_bits(accept):
    """Other base64 for the same bytes: the bits that stand for nothing are not zero."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return accept[:26] + alphabet[alphabet.index(accept[26]) + 1] + "="


# What a server may take for the accept value (RFC 6455 section 4.2.2, 5.4), by the key. None of them ever is.
WRONG = {
    "the-key": lambda key: key,
    "of-the-key-alone": digest,
    "of-no-key": lambda key: accept_of(""),
    "of-another-key": lambda key: accept_of("AAAAAAAAAAAAAAAAAAAAAA=="),
    "of-the-sample-key": lambda key: accept_of("dGhlIHNhbXBsZSBub25jZQ=="),
    "of-the-small-key": lambda key: accept_of(key.swapcase()),
    "of-the-key-and-newline": lambda key: accept_of(key + "\n"),
    "of-the-16-bytes": lambda key: accept_of(base64.b64decode(key).decode("latin-1")),
    "of-the-key-unpadded": lambda key: accept_of(key.rstrip("=")),
    "guid-first": lambda key: digest(GUID + key),
    "guid-small": lambda key: digest(key + GUID.lower()),
    "guid-bare": lambda key: digest(key + GUID.replace("-", "")),
    "sha-256": lambda key: digest(key + GUID, hashlib.sha256),
    "md5": lambda key: digest(key + GUID, hashlib.md5),
    "hexadecimal": lambda key: hashlib.sha1((key + GUID).encode()).hexdigest(),
    "of-hexadecimal": lambda key: base64.b64encode(hashlib.sha1((key + GUID).encode()).hexdigest().encode()).decode(),
    "small-letters": lambda key: accept_of(key).swapcase(),
    "first-letter": lambda key: ("B" if accept_of(key)[0] == "A" else "A") + accept_of(key)[1:],
    "last-letter": lambda key: accept_of(key)[:25] + ("B" if accept_of(key)[25] == "A" else "A") + accept_of(key)[26:],
    "padding-bits": lambda key: padding_bits(accept_of(key)),
    "unpadded": lambda key: accept_of(key)[:-1],
    "padded-more": lambda key: accept_of(key) + "=",
    "one-letter-less": lambda key: accept_of(key)[1:],
    "one-letter-more": lambda key: accept_of(key) + "A",
    "half": lambda key: accept_of(key)[:14],
    "doubled": lambda key: accept_of(key) * 2,
    "spaced": lambda key: accept_of(key)[:14] + " " + accept_of(key)[14:],
    "quoted": lambda key: f'"{accept_of(key)}"',
    "with-a-parameter": lambda key: accept_of(key) + "; q=1",
    "in-a-list": lambda key: accept_of(key) + ", x",
    "reversed": lambda key: accept_of(key)[::-1],
}


def fill_in(key, host):
    """What the braces of an answer stand for."""
    values = {name: wrong(key) for name, wrong in WRONG.items()} | {"accept": accept_of(key), "host": host}
    return {f"{{{name}}}".encode(): value.encode("latin-1") for name, value in values.items()}


# ---- What is wrong with a request (RFC 6455 sections 4.1 and 11.3, RFC 9112)

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
LINE = re.compile(rf"({TOKEN}):[ \t]*([^\0-\x08\x0a-\x1f\x7f]*?)[ \t]*")
PARAMETER = rf'[ \t]*;[ \t]*{TOKEN}(?:[ \t]*=[ \t]*(?:{TOKEN}|"{TOKEN}"))?'
ELEMENT = rf"[ \t]*{TOKEN}(?:{PARAMETER})*[ \t]*"
LIST = re.compile(rf"{ELEMENT}(?:,{ELEMENT})*")
SINGLE = ("host", "upgrade", "sec-websocket-key", "sec-websocket-version", "origin", "content-length")


def key_good(key):
    try:
        nonce = base64.b64decode(key.encode("latin-1"), validate=True)
    except binascii.Error:
        return False
    return len(nonce) == 16 and base64.b64encode(nonce).decode() == key


def faults_of_lines(raw):
    lines = raw.decode("latin-1").split("\r\n")[1:]
    return [f"no field: {line[:60]!r} (RFC 9112 section 5)" for line in lines if not LINE.fullmatch(line)]


def faults_of_request(head, raw, host, target):
    """`head` is the Head of `raw`; it should ask `host` for `target`."""
    faults = faults_of_lines(raw)
    if head.line != f"GET {target} HTTP/1.1":
        faults.append(f"the request {head.line[:80]!r}, and not for {target[:80]!r} (section 4.1, 2 and 3)")
    for name in SINGLE:
        if len(head.all(name)) > 1:
            faults.append(f"{name} twice (section 4.1)")
    if (head.field("Host") or "").lower() != host:
        faults.append(f"Host: {head.field('Host')}, and not {host} (section 4.1, 4)")
    if "websocket" not in [token.lower() for token in head.list("Upgrade")]:
        faults.append(f"Upgrade: {head.field('Upgrade')} (section 4.1, 5)")
    if "upgrade" not in [token.lower() for token in head.list("Connection")]:
        faults.append(f"Connection: {head.field('Connection')} (section 4.1, 6)")
    if not key_good(head.field("Sec-WebSocket-Key") or ""):
        faults.append(f"Sec-WebSocket-Key: {head.field('Sec-WebSocket-Key')} (section 4.1, 7)")
    if head.field("Sec-WebSocket-Version") != "13":
        faults.append(f"Sec-WebSocket-Version: {head.field('Sec-WebSocket-Version')} (section 4.1, 9)")
    if head.field("Transfer-Encoding") or head.field("Content-Length") not in (None, "0"):
        faults.append("a body (section 4.1)")
    if head.all("Sec-WebSocket-Accept"):
        faults.append("Sec-WebSocket-Accept in a request (section 11.3.3)")
    return faults + faults_of_lists(head)


def faults_of_lists(head):
    faults = []
    names = [part.strip() for value in head.all("Sec-WebSocket-Protocol") for part in value.split(",")]
    if len(set(names)) < len(names) or not all(re.fullmatch(TOKEN, name) for name in names):
        faults.append(f"subprotocols {names} (section 4.1, 10)")
    offers = head.field("Sec-WebSocket-Extensions")
    if offers is not None and not LIST.fullmatch(offers):
        faults.append(f"Sec-WebSocket-Extensions: {offers} (section 9.1)")
    for name, parameters in extensions(offers or ""):
        if name == "permessage-deflate" and not well_formed(parameters):
            faults.append(f"an offer that has to be declined: {parameters} (RFC 7692 section 7.1)")
    return faults
