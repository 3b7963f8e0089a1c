"""heads.py - the opening handshake: heads to send, right and wrong ones, and the judge's view of those that come.

    request()                                the request of a client
    request(without=["Host"])                without that field
    request(Upgrade="WebSocket", more=["X: y"])    with another value, and with further lines
"""

from wire import KEY, accept_of, extensions

FIELDS = {
    "Host": "server.example.com",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def request(line=None, without=(), more=(), **change):
    """The bytes of an upgrade request. {target} and {host} in it stand for those of the URL; fields are changed by name
    (Sec_WebSocket_Key="x")."""
    changed = {name.replace("_", "-"): value for name, value in change.items()}
    fields = {**FIELDS, "Host": "{host}", **changed}
    lines = [line or "GET {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in fields.items() if name not in without]
    return ("\r\n".join([*lines, *more]) + "\r\n\r\n").encode("latin-1")


class Head:
    """A head that came, or that the judge has sent."""

    def __init__(self, raw):
        self.line, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").lstrip("\r\n").split("\r\n")
        self.fields = []
        for line in lines:
            name, _, value = line.partition(":")
            self.fields.append((name.strip().lower(), value.strip()))

    def all(self, name):
        return [value for key, value in self.fields if key == name.lower()]

    def field(self, name):
        """Its value, joined with commas where there are several; None without it."""
        return ", ".join(self.all(name)) if self.all(name) else None

    def list(self, name):
        return [part.strip() for part in (self.field(name) or "").split(",") if part.strip()]


def faults_of_answer(asked, answer):
    """What is wrong with a 101 (RFC 6455 section 4.2.2, RFC 7692 section 7.1)."""
    faults = []
    if (answer.field("Upgrade") or "").lower() != "websocket":
        faults.append(f"Upgrade: {answer.field('Upgrade')} (section 4.2.2, 5.2)")
    if "upgrade" not in [token.lower() for token in answer.list("Connection")]:
        faults.append(f"Connection: {answer.field('Connection')} (section 4.2.2, 5.3)")
    if answer.all("Sec-WebSocket-Accept") != [accept_of(asked.field("Sec-WebSocket-Key") or "")]:
        faults.append(f"Sec-WebSocket-Accept: {answer.field('Sec-WebSocket-Accept')} (section 4.2.2, 5.4)")
    chosen = answer.all("Sec-WebSocket-Protocol")
    if len(chosen) > 1 or any(name not in asked.list("Sec-WebSocket-Protocol") for name in chosen):
        faults.append(f"Sec-WebSocket-Protocol: {chosen} (section 4.2.2, 5.5)")
    return faults + faults_of_extensions(asked, answer)


def faults_of_extensions(asked, answer):
    agreed = extensions(answer.field("Sec-WebSocket-Extensions") or "")
    offers = extensions(asked.field("Sec-WebSocket-Extensions") or "")
    if not agreed:
        return []
    if len(agreed) > 1 or agreed[0][0] not in [name for name, _ in offers]:
        return [f"an extension that was not offered: {agreed} (section 4.2.2, 5.6)"]
    fitting = [given for name, given in offers if name == agreed[0][0] and answers_offer(given, agreed[0][1])]
    return [] if fitting else [f"parameters that fit no offer: {agreed[0][1]} (RFC 7692 section 7.1)"]


def bits_of(value):
    """8 to 15 without a leading zero, else None."""
    return int(value) if value in [str(bits) for bits in range(8, 16)] else None


def answers_offer(offer, answer):
    """May a server answer these parameters of permessage-deflate so?"""
    asked, given = dict(offer), dict(answer)
    known = {"server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits", "client_max_window_bits"}
    if len(given) != len(answer) or not set(given) <= known or not well_formed(offer):
        return False
    if "server_no_context_takeover" in asked and "server_no_context_takeover" not in given:
        return False
    if any(given.get(name) is not None for name in known if name.endswith("takeover")):
        return False
    return server_bits_fit(asked, given) and client_bits_fit(asked, given)


def well_formed(offer):
    """An offer that has to be declined otherwise (RFC 7692 section 7.1)."""
    asked = dict(offer)
    flags = ("server_no_context_takeover", "client_no_context_takeover")
    if len(asked) != len(offer) or set(asked) - {*flags, "server_max_window_bits", "client_max_window_bits"}:
        return False
    if any(asked.get(name) is not None for name in flags):
        return False
    if "server_max_window_bits" in asked and not bits_of(asked["server_max_window_bits"]):
        return False
    return asked.get("client_max_window_bits") is None or bits_of(asked["client_max_window_bits"]) is not None


def server_bits_fit(asked, given):
    most = bits_of(asked.get("server_max_window_bits", "15"))
    if "server_max_window_bits" not in given:
        return "server_max_window_bits" not in asked
    return (bits_of(given["server_max_window_bits"]) or 99) <= most


def client_bits_fit(asked, given):
    if "client_max_window_bits" not in given:
        return True
    most = bits_of(asked.get("client_max_window_bits") or "15")
    return "client_max_window_bits" in asked and (bits_of(given["client_max_window_bits"]) or 99) <= most
