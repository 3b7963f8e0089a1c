"""outcomes.py - what a peer may do, and what it has done.

A Transcript is what was seen of the peer on one connection. An Outcome is one thing that a case allows; it tells how far a
transcript fits it: OK, NON-STRICT (the RFC allows it, but says SHOULD to something else), or not at all (None). A case
names its outcomes, and the best that fits is its result:

    echoes()                 every message of the script comes back, every ping is answered, then the judge's close frame
                             (1000) is, and the connection ends. echoes("a", b"b"): these messages (str: text, bytes: binary)
    answers(1000)            the script itself has sent a close frame: it is answered with this code (None: with an empty
                             close frame), and the connection ends
    fails(1002)              the peer closes with one of these codes by itself, and ends the connection. after=["a"]: these
                             messages came back before. NON-STRICT: no close frame, or another code that means an error
                             (RFC 6455 section 7.1.7 says SHOULD to both)
    accepts()                a handshake succeeds
    refuses(400, 426)        a handshake is answered by one of these statuses. NON-STRICT: another error,
                             none, or not this field="x" in it
    ends()                   the peer ends the connection, with a close frame or without. after=["a"] as above
    lingers(1002)            it sends a close frame with one of these codes, and does not end the connection by itself
    opens()                  (a client) takes the answer, and echoes. opens("a"): also this message, which the script has sent
    echoes_masked()          (a client) as echoes(), in frames with a new random key each
    drops()                  (a client) takes the answer for none, and ends the connection. NON-STRICT: with a close frame
    early(outcome)           that outcome, of a script that begins with the answer
    either(a, b, ...)        what the RFC leaves open: all of them are OK
    non_strict(outcome)      OK becomes NON-STRICT
"""

from wire import shown

OK, NON_STRICT, FAIL, DECLINED = "ok", "non-strict", "FAIL", "declined"
ERRORS = (1002, 1003, 1007, 1008, 1009, 1010, 1011)


class Transcript:
    def __init__(self):
        self.status = None  # of the HTTP answer, when the handshake was refused or is what the case is about
        self.fields = ()  # the names of its fields, in small letters
        self.subprotocol = None
        self.messages = []  # str or bytes, as they came
        self.pongs = []
        self.masks = []  # the keys of its frames
        self.close = None  # (code or None, reason)
        self.end = None  # "end" or "reset"; None: it did not end
        self.late = False  # it did what it should, but later than it could
        self.violations = []  # what the peer did wrong by itself, whatever the case
        self.declined = None  # the extension that the case needs was not agreed on: why

    def __str__(self):
        words = [f"answer {self.status}"] if self.status else []
        words += [said(message) for message in self.messages[:6]]
        words += [f"... ({len(self.messages)} messages)"] if len(self.messages) > 6 else []
        words += [f"pong {shown(payload)}" for payload in self.pongs[:6]]
        words += [f"... ({len(self.pongs)} pongs)"] if len(self.pongs) > 6 else []
        words += [f"close {code_name(self.close[0])} {shown(self.close[1], 60)}"] if self.close else []
        words += [self.end or "no end"] + ["late"] * self.late
        words += [f"violation: {violation}" for violation in self.violations]
        return ", ".join(words)


def said(message):
    return f"text {shown(message.encode())}" if isinstance(message, str) else f"binary {shown(message)}"


def code_name(code):
    return "without a code" if code is None else str(code)


def pongs_fit(expected, got):
    """Of several pings that wait, only the latest must be answered (RFC 6455 section 5.5.3). That section also allows pongs
    that nobody asked for; but a peer that only echoes has no reason for one, and it would hide a wrong answer."""
    if got[-1:] != expected[-1:]:
        return False
    wanted = iter(reversed(expected))
    return all(payload in wanted for payload in reversed(got))


class Outcome:
    hangs_up = False  # does the judge send a close frame when the rest of the script is done?
    handshake = False  # is it about the opening handshake?
    greets = False  # ... and does the judge send a message behind it?

    def resolve(self, script):
        """Takes what it expects from the script, where the case does not say."""

    def satisfied(self, transcript):
        """For those that hang up: has everything come that is to come?"""
        return False

    def doomed(self, transcript):
        """Can it not come true any more?"""
        return False

    def fits(self, transcript):
        raise NotImplementedError


class Answers(Outcome):
    def __init__(self, code, messages=None, hangs_up=False):
        self.code, self.messages, self.hangs_up = code, messages, hangs_up
        self.pongs = []

    def resolve(self, script):
        messages, self.pongs = script.meaning()
        if self.messages is None:
            self.messages = messages

    def satisfied(self, transcript):
        if len(transcript.messages) < len(self.messages):
            return False
        return not self.pongs or transcript.pongs[-1:] == self.pongs[-1:]

    def fits(self, transcript):
        """A message that was on its way when the close frame came may be lost, but not when the judge waited for it. The
        code of the answer is "typically" that of the question (RFC 6455 section 5.5.1)."""
        if transcript.end is None or transcript.close is None:
            return None
        lost = transcript.messages != self.messages
        if lost and (self.hangs_up or transcript.messages != self.messages[: len(transcript.messages)]):
            return None
        if self.hangs_up and not pongs_fit(self.pongs, transcript.pongs):
            return None
        code = transcript.close[0]
        if code == self.code:
            return NON_STRICT if lost else OK
        return NON_STRICT if code in (None, 1000, 1005) else None

    def __str__(self):
        heard = [said(message) for message in self.messages[:4]] + ["..."] * (len(self.messages) > 4)
        heard += [f"pong {shown(payload)}" for payload in self.pongs[:4]] + ["..."] * (len(self.pongs) > 4)
        asked = "to our close " if self.hangs_up else ""
        return ", ".join([*heard, f"{asked}the answer {code_name(self.code)}, then the end"])


class Fails(Outcome):
    def __init__(self, codes, after):
        self.codes, self.after = codes, after

    def doomed(self, transcript):
        return transcript.messages != self.after[: len(transcript.messages)]

    def fits(self, transcript):
        came = transcript.messages
        if transcript.end is None or came != self.after[: len(came)]:
            return None
        if transcript.close is None:
            return NON_STRICT
        if transcript.close[0] not in self.codes:
            return NON_STRICT if transcript.close[0] in ERRORS else None
        return OK if came == self.after else NON_STRICT

    def __str__(self):
        heard = [said(message) for message in self.after]
        return ", ".join([*heard, f"close {' or '.join(map(str, self.codes))}, then the end"])


class Ends(Outcome):
    def __init__(self, after):
        self.after = after

    def fits(self, transcript):
        return OK if transcript.end and transcript.messages == self.after else None

    def __str__(self):
        return ", ".join([*map(said, self.after), "the end, with a close frame or without"])


class Lingers(Outcome):
    def __init__(self, codes):
        self.codes = codes

    def fits(self, transcript):
        fitting = transcript.close and transcript.close[0] in self.codes
        return OK if fitting and not transcript.end and not transcript.messages else None

    def __str__(self):
        return f"close {' or '.join(map(str, self.codes))}, and no end until ours"


class Either(Outcome):
    def __init__(self, outcomes):
        self.outcomes = outcomes
        self.hangs_up = any(outcome.hangs_up for outcome in outcomes)
        self.handshake = any(outcome.handshake for outcome in outcomes)
        self.greets = any(outcome.greets for outcome in outcomes)

    def resolve(self, script):
        for outcome in self.outcomes:
            outcome.resolve(script)

    def satisfied(self, transcript):
        return any(outcome.satisfied(transcript) for outcome in self.outcomes if outcome.hangs_up)

    def doomed(self, transcript):
        return all(outcome.doomed(transcript) for outcome in self.outcomes)

    def fits(self, transcript):
        return best([outcome.fits(transcript) for outcome in self.outcomes])

    def __str__(self):
        return "; or ".join(map(str, self.outcomes))


class NonStrict(Either):
    def fits(self, transcript):
        return NON_STRICT if super().fits(transcript) else None

    def __str__(self):
        return f"NON-STRICT: {super().__str__()}"


class Accepts(Outcome):
    """What the answer may hold is judged by the role: a fault there is a violation."""

    handshake = True
    hangs_up = True

    def __init__(self, subprotocol):
        self.subprotocol = subprotocol

    def satisfied(self, transcript):
        return transcript.status == 101 and transcript.messages

    def fits(self, transcript):
        if transcript.status != 101 or transcript.messages != ["hello?"] or not transcript.close or not transcript.end:
            return None
        if self.subprotocol is not None and transcript.subprotocol not in self.subprotocol:
            return None
        return OK

    def __str__(self):
        chosen = f" with the subprotocol {' or '.join(map(str, self.subprotocol))}" if self.subprotocol else ""
        return f"101{chosen}, and then an echo"


class Refuses(Outcome):
    handshake = True

    def __init__(self, statuses, field):
        self.statuses, self.field = statuses, field

    def fits(self, transcript):
        if transcript.status == 101 or transcript.messages:
            return None
        if transcript.status in self.statuses:
            return OK if not self.field or self.field in transcript.fields else NON_STRICT
        if transcript.status is None:
            return NON_STRICT if transcript.end else None
        return NON_STRICT if transcript.status >= 400 else None

    def doomed(self, transcript):
        return transcript.status == 101

    def __str__(self):
        return f"the answer {' or '.join(map(str, self.statuses))}" + (f" with {self.field}" if self.field else "")


class Opens(Outcome):
    handshake = True
    greets = True
    hangs_up = True

    def __init__(self, messages):
        self.messages = [*messages, "hello?"]

    def satisfied(self, transcript):
        return len(transcript.messages) >= len(self.messages)

    def fits(self, transcript):
        good = transcript.messages == self.messages and transcript.close and transcript.end
        return OK if good else None

    def __str__(self):
        return ", ".join(["the answer taken", *map(said, self.messages), "and the end"])


class FreshMasks(Answers):
    """Echoes, in frames whose keys nobody could have told (RFC 6455 sections 5.3 and 10.3). Chance would not pass for a
    counter, nor for a constant, in a thousand years of tests."""

    def __init__(self):
        super().__init__(1000, hangs_up=True)

    def fits(self, transcript):
        return super().fits(transcript) if self.random(transcript.masks) else None

    def random(self, masks):
        numbers = [int.from_bytes(mask, "big") for mask in masks]
        steps = {(after - before) & 0xFFFFFFFF for before, after in zip(numbers, numbers[1:])}
        flips = {before ^ after for before, after in zip(numbers, numbers[1:])}
        ones = sum(number.bit_count() for number in numbers) / (32 * len(numbers) or 1)
        enough = 0.9 * (len(numbers) - 1)
        varied = all(len({mask[at] for mask in masks}) > 16 for at in range(4))
        return len(set(numbers)) > enough and len(steps) > enough and len(flips) > enough and 0.4 < ones < 0.6 and varied

    def __str__(self):
        return f"{super().__str__()}; masked with keys that look random"


class Drops(Outcome):
    handshake = True
    greets = True

    def doomed(self, transcript):
        return bool(transcript.messages or transcript.pongs)

    def fits(self, transcript):
        if not transcript.end or self.doomed(transcript):
            return None
        return NON_STRICT if transcript.close else OK

    def __str__(self):
        return "the end, and nothing before it"


def best(fits):
    return OK if OK in fits else NON_STRICT if NON_STRICT in fits else None


def echoes(*messages):
    return Answers(1000, list(messages) if messages else None, hangs_up=True)


def answers(code, *messages):
    return Answers(code, list(messages) if messages else None)


def fails(*codes, after=()):
    return Fails(codes, list(after))


def ends(after=()):
    return Ends(list(after))


def lingers(*codes):
    return Lingers(codes)


def accepts(subprotocol=None):
    return Accepts(subprotocol)


def refuses(*statuses, field=None):
    return Refuses(statuses, field)


def opens(*messages):
    return Opens(messages)


def echoes_masked():
    return FreshMasks()


def drops():
    return Drops()


def early(outcome):
    outcome.handshake = True
    return outcome


def either(*outcomes):
    return Either(outcomes)


def non_strict(*outcomes):
    return NonStrict(outcomes)
