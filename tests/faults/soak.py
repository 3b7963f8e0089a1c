"""soak.py - hours in little: everything at once, for as long as SWALE_SOAK_MINUTES says, after which memory, descriptors
and timers are what they were.

Two programs, one with TLS, bear the load of several processes: `swale bench` (echoes, a topic with many listeners,
handshakes), clients that reconnect, every kind of honest use, and every kind of abuse; and the certificate is read
again every second. "What they were" is taken after a first round of the same, since pools and OpenSSL keep what they
have once needed. Blocks are counted one by one (broken.c), so that a leak needs no hours to show."""

import multiprocessing
import os
import random
import signal
import subprocess
import time

from broken import Broken
from faults import Faults, idle, served
from herd import Herd
from memory import USES
from program import Certificate, Program, slack, until
from rows.frame import any_frame
from wire import BINARY, TEXT, Gone, Peer, frame, opened, random_bytes, request

FAULTS = Faults()
MINUTES = float(os.environ.get("SWALE_SOAK_MINUTES") or 0.75)
OPTIONS = ("--deflate=context", "--handshake-timeout", f"{slack(5)}s", "--ping", f"{slack(2)}s", "--gone", f"{slack(3)}s")
OPTIONS += ("--close-wait", "1s", "--threads", "2")
PAUSE = 0.01
HONEST = slack(20)  # seconds of patience, on a machine that is busy


# ---- Those who misbehave; each is for one connection

def vanish(generator, port, tls):
    """By RST, at any moment of a conversation."""
    raw = request() + frame(TEXT, b"a message") + frame(BINARY, bytes(3000))
    peer = Peer(port, tls=tls)
    peer.try_send(raw[: generator.randrange(len(raw))])
    peer.reset()


def talk_nonsense(generator, port, tls):
    with Peer(port, tls=tls, patience=3) as peer:
        peer.try_send(random_bytes(generator, generator.randrange(1, 2000)) + b"\r\n\r\n")
        peer.until_end()


def break_rules(generator, port, tls):
    with opened(port, tls=tls) as peer:
        peer.try_send(b"".join(any_frame(generator) for _ in range(8)))
        peer.reset()


def read_nothing(generator, port, tls):
    with opened(port, tls=tls) as peer:
        peer.socket.settimeout(0.05)
        peer.try_send(frame(BINARY, bytes(60_000)) * generator.randrange(1, 60))
        time.sleep(0.1)
        peer.reset()


def listen_and_not_read(generator, port, tls):
    with Peer(port, tls=tls) as peer:
        peer.upgrade(target=f"/topic/{generator.randrange(200)}")
        peer.try_send(frame(BINARY, bytes(5000)))
        time.sleep(0.05)


def fall_silent(generator, port, tls):
    """In a handshake, or in a frame, for as long as the connection lasts."""
    peer = Peer(port, tls=tls)
    raw = request() + frame(TEXT, b"half a message")
    peer.try_send(raw[: generator.randrange(1, len(raw))])
    return peer


ABUSES = (vanish, talk_nonsense, break_rules, read_nothing, listen_and_not_read, fall_silent)


# ---- Processes of the load

def be_honest(seed, seconds, ports, certificate):
    generator, end = random.Random(seed), time.monotonic() + seconds
    done = 0
    while time.monotonic() < end:
        secure = generator.random() < 0.5
        generator.choice(USES)(ports[secure], certificate.context() if secure else None, HONEST)
        done += 1
        time.sleep(PAUSE)
    return done


def be_hostile(seed, seconds, ports, certificate):
    generator, end = random.Random(seed), time.monotonic() + seconds
    done, silent = 0, []
    while time.monotonic() < end:
        secure = generator.random() < 0.3
        try:
            left = generator.choice(ABUSES)(generator, ports[secure], certificate.context() if secure else None)
            silent += [left] if left else []
        except (OSError, Gone, AssertionError):
            pass
        if len(silent) > 100:
            silent.pop(0).socket.close()
        done += 1
        time.sleep(PAUSE)
    return done


class Worker:
    def __init__(self, act, *arguments):
        self.pipe, far = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=lambda: far.send(act(*arguments)), daemon=True)
        self.process.start()
        far.close()

    def result(self, seconds):
        assert self.pipe.poll(seconds), "a process of the load does not end"
        try:
            return self.pipe.recv()
        except EOFError:
            raise AssertionError("a process of the load has failed") from None
        finally:
            self.process.join(5)


def bench(url, seconds, *options):
    command = [os.environ["SWALE_PROGRAM"], "bench", url, "-d", f"{seconds:.0f}s", "--warm-up", "off", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def a_second(rate):
    """As much of it as the program at hand can bear."""
    return str(rate // slack(1))


def begin_benches(seconds, ports):
    plain, secure = f"ws://127.0.0.1:{ports[0]}", f"wss://127.0.0.1:{ports[1]}"
    return [
        bench(f"{plain}/echo", seconds, "-c", "50", "-s", "1k", "--rate", a_second(3000), "--verify"),
        bench(f"{secure}/echo", seconds, "-c", "20", "-s", "8k", "--rate", a_second(500), "--insecure", "--deflate", "--verify"),
        bench(f"{plain}/topic/bench", seconds, "--mode", "fan-out", "--subscribers", "100", "--rate", a_second(50)),
        bench(f"{secure}/echo", seconds, "--mode", "storm", "-c", "4", "--rate", a_second(50), "--insecure"),
    ]


def reload_meanwhile(program, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        program.signal(signal.SIGHUP)
        time.sleep(1)


def a_round(seconds, programs, certificate, seed):
    """All of it for so many seconds. What came of it, for people."""
    ports = [program.port for program in programs]
    honest = [Worker(be_honest, seed + n, seconds, ports, certificate) for n in range(2)]
    hostile = [Worker(be_hostile, seed + 10 + n, seconds, ports, certificate) for n in range(2)]
    benches = begin_benches(seconds, ports)
    with Herd(f"wss://localhost:{ports[1]}/echo", 200, certificate) as herd:
        reload_meanwhile(programs[1], seconds)
        figures = herd.figures()
    assert figures["wrong"] == figures["lost"] == 0 and figures["echoes"] > 100, figures
    for running in benches:
        said, _ = running.communicate(timeout=slack(60))
        assert running.returncode == 0, f"{running.args}: {said}"
    used = sum(worker.result(slack(30)) for worker in honest)
    abused = sum(worker.result(slack(30)) for worker in hostile)
    return used, abused


def fill_receive_buffers(program, context):
    """A loop on io_uring makes more of them, up to a bound, in turns in which much comes at once. That is to happen before it is looked at what is held,
    and not by chance behind it."""
    message, peers = bytes(40_000), [opened(program.port, tls=context) for _ in range(200)]
    raw = frame(BINARY, message)
    for _ in range(4):
        program.signal(signal.SIGSTOP)
        for peer in peers:
            peer.send(raw)
        program.signal(signal.SIGCONT)
        for peer in peers:
            assert peer.message() == message
    for peer in peers:
        peer.socket.close()


# ---- What they hold

def gauge(program, name):
    return next(int(line.split()[-1]) for line in program.get("/metrics").splitlines() if line.startswith(name + " "))


def held(program, broken):
    """When nobody is there any more."""
    until(lambda: 'state="open"} 0\n' in program.get("/metrics"), slack(15), "everyone gone")
    time.sleep(1)
    idle(program)
    return {
        "blocks": broken.blocks(),
        "KiB in blocks": broken.bytes() // 1024,
        "KiB resident": program.memory(),
        "descriptors": program.descriptors(),
        "timers": gauge(program, "swale_loop_timers"),
        "queued bytes": gauge(program, "swale_queued_bytes"),
        "topics": gauge(program, "swale_topics"),
    }


# What may be more: sessions of TLS that are kept, a pool that had not been full.
MORE = {"blocks": 100, "KiB in blocks": 512, "KiB resident": 4096}


def compare(name, before, after):
    print(f"  {name}: " + ", ".join(f"{what} {before[what]} -> {after[what]}" for what in before), flush=True)
    for what, was in before.items():
        assert after[what] <= was + MORE.get(what, 0), f"{name}: {what} were {was} and are {after[what]}"


@FAULTS.fault("mixed")
def mixed():
    seconds = slack(MINUTES * 60)
    first = max(slack(10), seconds / 5)
    certificate = Certificate()
    brokens = [Broken(), Broken()]
    with Program(*OPTIONS, environment=brokens[0].environment()) as plain, Program(
        *OPTIONS, tls=certificate, environment=brokens[1].environment()
    ) as secure:
        programs = [plain, secure]
        fill_receive_buffers(plain, None)
        fill_receive_buffers(secure, certificate.context())
        a_round(first, programs, certificate, 1)
        before = [held(*pair) for pair in zip(programs, brokens)]
        used, abused = a_round(seconds - first, programs, certificate, 1000)
        after = [held(*pair) for pair in zip(programs, brokens)]
        for name, *figures in zip(("plain", "TLS"), before, after):
            compare(name, *figures)
        for program in programs:
            served(program)
        messages = sum(
            float(line.split()[-1])
            for program in programs
            for line in program.get("/metrics").splitlines()
            if line.startswith("swale_messages_total")
        )
        connections = sum(gauge(program, "swale_accepted_total") for program in programs)
    return f"{messages:.0f} messages on {connections} connections, {used} honest uses, {abused} abuses"
