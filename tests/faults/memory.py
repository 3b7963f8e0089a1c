"""memory.py - allocations fail: at the start, one after the other in every kind of use, and by chance under load. The
program refuses what it cannot do, keeps the others, leaks nothing, and is as before when there is memory again."""

import os
import signal
import subprocess
import time
import zlib

from broken import ALLOCATE, Broken
from faults import Faults, idle, served
from program import Certificate, Program, slack, until
from suite import at_once
from wire import BINARY, CONT, TEXT, Gone, Peer, closing, frame, get, opened, request

FAULTS = Faults()
RSV1 = 4
LEAKS = {"LSAN_OPTIONS": "detect_leaks=0"}  # OpenSSL forgets some when it has no memory. Ours are counted
PATIENCE = slack(1)  # a message may be lost with its memory


# ---- At the start

def starts(broken, options):
    """Runs it until it says that it listens, and then ends it. Whatever it lacks, it ends by itself and says so, or
    serves."""
    process = subprocess.Popen(
        [os.environ["SWALE_PROGRAM"], "serve", "--listen", "127.0.0.1:0", "--threads", "2", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **broken.environment(**LEAKS)},
        text=True,
    )
    listens = process.stdout.readline().startswith("swale: listening")
    if listens:
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=slack(10))
    return listens, process.returncode, said


def every_allocation_of_a_start(*options, step=1, skip=0):
    broken = Broken()
    broken.fail_nth(0)
    assert starts(broken, options)[:2] == (True, 0)
    total = broken.allocations()
    refused = 0
    for nth in range(1 + skip, total + 1, step):
        broken.fail_nth(nth)
        listens, status, said = starts(broken, options)
        if listens:
            assert status == 0, f"allocation {nth}: status {status}: {said}"
            continue
        refused += 1
        assert status in (1, 2), f"allocation {nth}: status {status}: {said}"
        told = [line for line in said.splitlines() if line.startswith("swale serve: ")]
        assert len(told) == 1, f"allocation {nth}: {said!r}"
    assert refused > 0
    return f"{total} allocations, each {step}th failed, {refused} of these times it did not start"


@FAULTS.fault("start")
def start():
    return every_allocation_of_a_start("--demo", "--root", "/usr/share")


@FAULTS.fault("start-tls")
def start_tls():
    tls = Certificate()
    options = ("--demo", "--tls-cert", tls.certificate, "--tls-key", tls.key)
    return every_allocation_of_a_start(*options, step=97)


# ---- In every kind of use

def use_http(port, tls, patience=PATIENCE):
    with Peer(port, tls=tls, patience=patience) as peer:
        for target in ("/healthz", "/metrics", "/", "/nothing"):
            peer.send(get(target))
            assert peer.answer() in (200, 404)


def use_echo(port, tls, patience=PATIENCE):
    with Peer(port, tls=tls, patience=patience) as peer:
        peer.upgrade()
        peer.echo(b"x" * 100_000)
        peer.send(frame(TEXT, b"in ", fin=False), frame(CONT, b"pieces"))
        assert peer.message() == b"in pieces"
        peer.send(closing(1000))
        assert peer.ended(answer=False) == 1000


def use_protocol(port, tls, patience=PATIENCE):
    with Peer(port, tls=tls, patience=patience) as peer:
        peer.send(request(sec_websocket_protocol="one, two"))
        assert peer.answer() == 101


def compressed(payload):
    squeeze = zlib.compressobj(wbits=-15)
    return (squeeze.compress(payload) + squeeze.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")


def use_deflate(port, tls, patience=PATIENCE):
    with Peer(port, tls=tls, patience=patience) as peer:
        peer.send(request(sec_websocket_extensions="permessage-deflate; client_max_window_bits"))
        assert peer.answer() == 101
        raw = compressed(b"many words " * 2000)
        for pieces in ([frame(BINARY, raw, rsv=RSV1)], [frame(BINARY, raw[:9], fin=False, rsv=RSV1), frame(CONT, raw[9:])]):
            peer.send(*pieces)
            assert peer.next().opcode == BINARY
        peer.send(closing(1000))
        assert peer.ended(answer=False) == 1000


def use_topic(port, tls, patience=PATIENCE):
    with Peer(port, tls=tls, patience=patience) as one, Peer(port, tls=tls, patience=patience) as other:
        one.upgrade(target="/topic/fault")
        other.upgrade(target="/topic/fault")
        one.send(frame(TEXT, b"t" * 5000))
        assert other.message() == b"t" * 5000


def use_backlog(port, tls, patience=PATIENCE):
    """More is sent than the kernel takes."""
    with Peer(port, tls=tls, patience=patience) as peer:
        peer.upgrade()
        for _ in range(4):
            peer.send(*[frame(BINARY, bytes(60_000))] * 10)
            for _ in range(10):
                assert peer.message() == bytes(60_000)


USES = (use_http, use_echo, use_protocol, use_deflate, use_topic, use_backlog)


def settled(broken, blocks, bound=0):
    until(lambda: broken.blocks() <= blocks + bound, slack(10), f"blocks back to {blocks}: {broken.blocks()}")


def every_allocation_of(use, broken, program, step):
    """Once without a failure; then with the first allocation failing, the second, and so on until none is left."""
    tls = program.tls_context()
    for _ in range(3):  # what is kept from then on: pools, sessions of TLS
        use(program.port, tls)
    time.sleep(0.05)
    blocks = broken.blocks()
    nth = 1
    survived = 0
    while True:
        before = broken.failed(ALLOCATE)
        broken.fail_nth(nth)
        try:
            use(program.port, tls)
            survived += 1
        except (AssertionError, Gone, OSError):
            pass
        hit = broken.failed(ALLOCATE) > before
        broken.mend()
        assert program.alive(), f"{use.__name__}, allocation {nth}: the program has ended:\n{program.text()[-2000:]}"
        if not hit:
            break
        nth += step
    use(program.port, tls)
    settled(broken, blocks, 8)
    return nth - 1, survived


def every_use(tls, step):
    broken = Broken()
    figures = []
    options = ("--deflate=context", "--threads", "1", "--close-wait", "1s")
    with Program(*options, tls=tls, environment=broken.environment(**LEAKS)) as program:
        with opened(program.port, tls=program.tls_context(), patience=slack(10)) as bystander:
            for use in USES:
                # A handshake of TLS has hundreds: every one of them once is enough.
                count, _ = every_allocation_of(use, broken, program, 1 if use is use_protocol else step)
                figures.append(f"{use.__name__[4:]} {count}")
                bystander.echo()
        served(program)
    return "allocations: " + ", ".join(figures)


@FAULTS.fault("each")
def each():
    return every_use(None, 1)


@FAULTS.fault("each-tls")
def each_tls():
    return every_use(Certificate(), 13)


@FAULTS.fault("reload")
def reload():
    """The certificate is read again: the old one stays, or the new one comes."""
    broken, tls = Broken(), Certificate()
    with Program("--threads", "1", tls=tls, environment=broken.environment(**LEAKS)) as program:
        lines = 0

        def hang_up():
            nonlocal lines
            lines = len(program.log)
            program.signal(signal.SIGHUP)
            until(lambda: any(" tls " in line for line in program.log[lines:]), slack(5), "a line")

        hang_up()
        served(program)
        time.sleep(0.1)
        blocks = broken.blocks()
        broken.fail_nth(0)
        hang_up()
        total = broken.allocations()
        for nth in range(1, total + 1, 41):
            broken.fail_nth(nth)
            hang_up()
            broken.mend()
        served(program)
        time.sleep(0.1)
        assert abs(broken.blocks() - blocks) <= 64, f"{broken.blocks() - blocks} blocks kept"
        return f"{total} allocations, each 41st failed"


# ---- By chance

def under_load(share, seconds, tls=None):
    """Peers of every kind come all the time, and one allocation in so many fails."""
    broken = Broken()
    good = bad = 0

    with Program("--deflate", "--close-wait", "1s", "--threads", "2", tls=tls, environment=broken.environment(**LEAKS)) as program:
        context = program.tls_context()
        at_once(60, lambda n: USES[n % len(USES)](program.port, context))
        until(lambda: program.get("/metrics").find('state="open"} 0') > 0, slack(5), "all gone")
        time.sleep(0.2)
        blocks = broken.blocks()
        broken.fail(ALLOCATE, share)
        end = time.monotonic() + seconds

        def act(n):
            came = failed = 0
            while time.monotonic() < end:
                try:
                    USES[(n + came + failed) % len(USES)](program.port, context)
                    came += 1
                except (AssertionError, Gone, OSError, ValueError):
                    failed += 1
            return came, failed

        for came, failed in at_once(8, act):
            good, bad = good + came, bad + failed
        broken.mend()
        assert program.alive(), "the program has ended:\n" + program.text()[-2000:]
        refused = broken.failed(ALLOCATE)
        assert refused > 10, f"only {refused} allocations failed"
        at_once(60, lambda n: USES[n % len(USES)](program.port, context))
        # OpenSSL keeps its last 16 errors of each thread, with three strings each.
        settled(broken, blocks, 2 * 16 * 3)
        idle(program)
        # Told to end while nothing can be allocated.
        broken.fail(ALLOCATE, 1)
        program.signal(signal.SIGTERM)
        status = program.wait(slack(12))
        assert status == 0, f"status {status}:\n" + program.text()[-500:]
    return f"{refused} allocations failed; {good} uses were served meanwhile, {bad} not"


@FAULTS.fault("chance")
def chance():
    return under_load(0.02, 4)


@FAULTS.fault("chance-tls")
def chance_tls():
    return under_load(0.001, 4, Certificate())
