"""cases.py - the register of cases. A file of sections/ makes its cases with

    S = Section("5.5.2", "Ping")
    S.case("payload-125", "A pong has the ping's payload.", ping(bytes(125)), echoes())

that is: a name, the rule in words, the script (see script.py), the only outcomes allowed (see outcomes.py); and what it
needs. Its id is "5.5.2/payload-125". See README.md."""

import importlib
import pathlib
import sys

from script import Script

SERVER, CLIENT = "server", "client"
BOTH = (SERVER, CLIENT)
SECTIONS = []
KIB, MIB = 1 << 10, 1 << 20


class Case:
    """`offer`: the value of Sec-WebSocket-Extensions in the judge's request, for a server; the peer has to agree.
    `answer`: in its answer, for a client. `more`: further fields of the judge's head. `limited`: True when the case is
    about the peer's limit of message size: it is left out when that is not known, and its script is a function of it; or
    the size that the limit must allow. `alone`: no other case runs beside it, since it is large. A script may also be a
    function without arguments, which makes what is large only when it is needed.

    For a client: `host` and `target` of the URL that it gets; `asks`, the extensions that it is to offer ("": none), and
    `subprotocols` (): where they are None, the case is about neither."""

    def __init__(self, section, name, rule, script, outcome, roles, offer, answer, more, limited, alone, client):
        self.section, self.id, self.rule = section, f"{section.number}/{name}", rule
        self.make, self.outcome, self.roles = script, outcome, roles
        self.offer, self.answer, self.more, self.limited, self.alone = offer, answer, more, limited, alone
        self.host, self.target, self.asks, self.subprotocols = client

    def possible(self, role, limit):
        return role in self.roles and (not self.limited or bool(limit) and (self.limited is True or self.limited <= limit))

    def prepare(self, limit):
        """Its script, made only now: some are large."""
        made = self.make
        if callable(made):
            made = made(limit) if self.limited is True else made()
        script = Script(made)
        self.outcome.resolve(script)
        return script


class Section:
    def __init__(self, number, title, roles=BOTH):
        self.number, self.title, self.roles = number, title, roles
        self.cases = []
        SECTIONS.append(self)

    @property
    def cites(self):
        rfc, _, number = self.number.rpartition(":")
        return f"RFC {rfc or 6455} section {number}"

    def case(self, name, rule, script, outcome, roles=None, offer=None, answer=None, more=(), limited=False, alone=False,
             host="127.0.0.1", target=None, asks=None, subprotocols=None):
        if any(case.id == f"{self.number}/{name}" for case in self.cases):
            raise ValueError(f"two cases {self.number}/{name}")
        about = (roles or self.roles, offer, answer, tuple(more), limited, alone, (host, target, asks, subprotocols))
        self.cases.append(Case(self, name, rule, script, outcome, *about))


def load():
    """All sections, in the order of the files' names."""
    if not SECTIONS:
        here = pathlib.Path(__file__).parent
        sys.path.insert(0, str(here / "sections"))
        for file in sorted((here / "sections").glob("*.py")):
            importlib.import_module(file.stem)
    return SECTIONS
