"""permessage-deflate as a client sees it (RFC 7692): answers to its offers, kept to by both sides."""

from answers import answer
from cases import CLIENT, Section
from outcomes import drops, early, echoes, either, ends, fails, non_strict, opens
from script import compressed
from wire import RSV1, TEXT, Frame, noise, octets, text

PLAIN = "permessage-deflate"
BITS = range(8, 16)
ANY = f"{PLAIN}; client_max_window_bits"


def terms(server_forgets, client_forgets, server_bits, client_bits):
    parts = [PLAIN]
    parts += ["server_no_context_takeover"] * server_forgets + ["client_no_context_takeover"] * client_forgets
    parts += [f"server_max_window_bits={server_bits}"] * bool(server_bits)
    return "; ".join(parts + [f"client_max_window_bits={client_bits}"] * bool(client_bits))


def label(server_forgets, client_forgets, server_bits, client_bits):
    words = ["server-forgets"] * server_forgets + ["client-forgets"] * client_forgets
    words += [f"server-bits-{server_bits}"] * bool(server_bits) + [f"client-bits-{client_bits}"] * bool(client_bits)
    return "-".join(words) or "plain"


# ---- Every answer to an offer that leaves all open. Each message comes twice, so that the second could refer to the first.

S = Section("7692:7.1", "Answers to offers of permessage-deflate", roles=(CLIENT,))

USED = "What was answered is kept to, by both sides, over several messages (section 7.1)."
SAMPLE = noise(700, 7).hex() + "again and again, " * 20
FAR = noise(1500, 9)
MESSAGES = [SAMPLE, SAMPLE, "", "a", FAR, FAR, SAMPLE]


def keeps(client_bits=0):
    """zlib has no window of 8 bits: a client may have to give up when it is told to use one."""
    return either(echoes(), non_strict(ends())) if client_bits == 8 else echoes()


for server_forgets in (False, True):
    for client_forgets in (False, True):
        for server_bits in (0, *BITS):
            for client_bits in (0, *BITS):
                given = (server_forgets, client_forgets, server_bits, client_bits)
                script = [compressed(message) for message in MESSAGES]
                S.case(f"answer-{label(*given)}", USED, script, keeps(client_bits), answer=terms(*given))

WINDOW = "No reference goes beyond the window, within a message or over several."
for bits in BITS:
    pair = noise(3 << bits - 1, bits)
    script = [compressed(pair + pair), compressed(pair), compressed(pair[: 1 << bits - 1]), compressed(pair)]
    S.case(f"window-server-{bits}", WINDOW, script, echoes(), answer=terms(False, False, bits, 0))
    S.case(f"window-client-{bits}", WINDOW, script, keeps(bits), answer=terms(False, False, 0, bits))
whole = noise(32500, 3)
script = [compressed(whole), compressed(whole), compressed(whole[:200] + whole), compressed(whole[-100:])]
S.case("window-whole", "References may go back 32 KiB, into messages before.", script, echoes(), answer=PLAIN)

CONTEXT = "The window is kept, or forgotten, over any number of messages."
for given in ((False, False, 0, 0), (True, False, 0, 0), (False, True, 0, 0), (True, True, 0, 0)):
    messages = [f"message {n}: {noise(20, n % 7).hex()} {'same ' * 20}" for n in range(100)]
    S.case(f"hundred-{label(*given)}", CONTEXT, [compressed(message) for message in messages], echoes(), answer=terms(*given))
    S.case(f"sizes-{label(*given)}", CONTEXT, [compressed(octets(n * 37)) for n in range(60)], echoes(), answer=terms(*given))
    large = [compressed(noise(20_000, n % 2)) for n in range(8)]
    S.case(f"large-{label(*given)}", CONTEXT, large, echoes(), answer=terms(*given))
hello = [Frame(TEXT, bytes.fromhex(data), rsv=RSV1) for data in ("f248cdc9c90700", "f200110000")]
S.case("hello-twice", "The window is kept between messages (section 7.2.3.2).", hello, echoes("Hello", "Hello"), answer=PLAIN)

WRITTEN = "The answer may be written in any way that the grammar allows."
for name, value in {
    "tight": f"{PLAIN};server_no_context_takeover;client_max_window_bits=12",
    "loose": f"  {PLAIN}  ;  server_no_context_takeover\t;  client_max_window_bits = 12  ",
    "order": f"{PLAIN}; client_max_window_bits=12; server_max_window_bits=12; client_no_context_takeover; server_no_context_takeover",
    "quoted": f'{PLAIN}; server_max_window_bits="12"; client_max_window_bits="10"',
    "empty-elements": f", {PLAIN}, ,",
}.items():
    script = [compressed(SAMPLE), compressed(SAMPLE)]
    outcome = either(echoes(), non_strict(ends())) if name in ("quoted", "empty-elements", "loose") else echoes()
    S.case(f"written-{name}", WRITTEN, script, outcome, answer=value)

# ---- Answers that the client must not take

BAD = "An answer with a parameter that is unknown, repeated or has a wrong value fails the connection (section 7.1)."


def bad(name, rule, parameters, asks=ANY, outcome=None):
    value = f"{PLAIN}; {parameters}"
    S.case(name, rule, answer(more=[f"Sec-WebSocket-Extensions: {value}"]), outcome or drops(), asks=asks, answer=outcome and value)


for side in ("server", "client"):
    for name, value in {
        "none": "", "0": "=0", "1": "=1", "7": "=7", "16": "=16", "08": "=08", "010": "=010", "256": "=256", "265": "=265", "letters": "=ten",
        "decimal": "=10.0", "plus": "=+10", "minus": "=-10", "huge": "=4294967306", "hexadecimal": "=0xa", "exponent": "=1e1", "long": "=" + "9" * 300,
    }.items():
        bad(f"bad-{side}-bits-{name}", BAD, f"{side}_max_window_bits{value}")
    for name, value in {"value": "=1", "true": "=true", "bits": "=10", "quoted": '="x"'}.items():
        bad(f"bad-{side}-takeover-{name}", BAD, f"{side}_no_context_takeover{value}")
    bad(f"twice-{side}-takeover", BAD, f"{side}_no_context_takeover; {side}_no_context_takeover")
    bad(f"twice-{side}-bits", BAD, f"{side}_max_window_bits=10; {side}_max_window_bits=10")
    bad(f"twice-{side}-bits-other", BAD, f"{side}_max_window_bits=10; {side}_max_window_bits=12")
    bad(f"bad-{side}-near-name", BAD, f"{side}_no_context_takeove")
    bad(f"bad-{side}-window-name", BAD, f"{side}_max_windows_bits=10")
    bad(f"bad-{side}-behind-good", BAD, f"server_no_context_takeover; {side}_max_window_bits=7")
bad("bad-unknown", BAD, "unknown")
bad("bad-unknown-value", BAD, "unknown=1")
bad("bad-unknown-behind-good", BAD, "server_no_context_takeover; x")

ASKED = "An answer that does not keep to the offer fails the connection (sections 7.1.1 and 7.1.2)."
# ... though a client that could bear it all the same is not told so in as many words.
dropped = lambda: either(drops(), non_strict(opens()))
for bits in range(9, 15):
    for more in {bits + 1, 15}:
        bad(f"asked-client-bits-{bits}-answered-{more}", ASKED, f"client_max_window_bits={more}", f"{PLAIN}; client_max_window_bits={bits}")
        asked = f"{PLAIN}; server_max_window_bits={bits}; client_max_window_bits"
        bad(f"asked-server-bits-{bits}-answered-{more}", ASKED, f"server_max_window_bits={more}", asked, dropped())
forget = f"{PLAIN}; server_no_context_takeover; client_max_window_bits"
limit = f"{PLAIN}; server_max_window_bits=10; client_max_window_bits"
ignored = lambda parameters: answer(more=["Sec-WebSocket-Extensions: " + "; ".join([PLAIN, *parameters])])
for name, parameters, asks in (
    ("server-forgets-nothing", [], forget),
    ("server-forgets-client-instead", ["client_no_context_takeover"], forget),
    ("server-bits-nothing", [], limit),
    ("server-bits-client-instead", ["client_max_window_bits=10"], limit),
):
    S.case(f"asked-{name}", ASKED, ignored(parameters), dropped(), asks=asks, answer="; ".join([PLAIN, *parameters]))
S.case(
    "unasked-client-bits",
    "client_max_window_bits is only for one who has offered it (section 7.1.2.2).",
    ignored(["client_max_window_bits=10"]),
    drops(),
    asks=PLAIN,
)
KEPT = "An offer with parameters, and an answer that keeps to it."
for name, asks, value in (
    ("server-forgets", forget, f"{PLAIN}; server_no_context_takeover"),
    ("server-bits-same", limit, f"{PLAIN}; server_max_window_bits=10"),
    ("server-bits-less", limit, f"{PLAIN}; server_max_window_bits=9"),
    ("client-bits-same", f"{PLAIN}; client_max_window_bits=12", f"{PLAIN}; client_max_window_bits=12"),
    ("client-bits-less", f"{PLAIN}; client_max_window_bits=12", f"{PLAIN}; client_max_window_bits=10"),
    ("client-bits-nothing", f"{PLAIN}; client_max_window_bits=12", PLAIN),
    ("client-forgets-hint", f"{PLAIN}; client_no_context_takeover; client_max_window_bits", PLAIN),
    ("client-forgets", f"{PLAIN}; client_no_context_takeover; client_max_window_bits", f"{PLAIN}; client_no_context_takeover"),
):
    script = [compressed(message) for message in MESSAGES]
    S.case(f"kept-{name}", KEPT, script, echoes(), answer=value, asks=asks)

DECLINED = "An offer that is declined leaves RSV1 without a meaning (RFC 6455 section 5.2)."
S.case("declined-plain", DECLINED, [answer(), text("plain")], opens("plain"), asks=ANY)
S.case("declined-rsv1", DECLINED, [answer(), hello[0]], early(fails(1002)), asks=ANY)
