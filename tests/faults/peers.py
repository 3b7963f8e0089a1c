"""peers.py - peers by the thousand that are slow, that vanish, or that never spoke the language."""

import contextlib
import random
import re
import socket
import ssl
import time

from crowd import Crowd
from faults import Faults, undisturbed
from program import SANITIZED, Certificate, Program, slack, until
from suite import at_once
from wire import BINARY, TEXT, Gone, Peer, closing, frame, opened, random_bytes, request

FAULTS = Faults()
COUNT = 200 if SANITIZED else 1000
READERS = 100 if SANITIZED else 200  # each of whom makes the kernel keep megabytes, too
KIB = 1024


def gauge(program, name):
    return float(re.search(rf"^{name} (.*)$", program.get("/metrics"), re.M)[1])


def push(crowd, data, places):
    """Sends on behalf of each member until the kernel takes no more for now. `places` is how far each has come."""
    sent = 0
    for member in crowd.members.values():
        with contextlib.suppress(OSError):
            while True:
                done = member.socket.send(data[places.get(member, 0) % len(data) :])
                places[member] = places.get(member, 0) + done
                sent += done
    return sent


@FAULTS.fault("slow-readers")
def slow_readers():
    """Each has as much sent back as it likes, and reads nothing: no more than the limits allow is kept for each, which
    is high water (64 KiB), a message that was being answered, and what had been read already
    (256 KiB)."""
    with Program() as program, undisturbed(program):
        crowd = Crowd(program.port)
        before = program.memory()
        crowd.join(READERS, mute=True)
        empty = program.memory()
        sent, places = 0, {}
        while True:  # the kernel takes megabytes before the server has to keep any
            more = push(crowd, frame(BINARY, bytes(16 * KIB)) * 16, places)
            sent += more
            time.sleep(0.2)
            if more == 0 and gauge(program, "swale_queued_bytes") > READERS * 32 * KIB:
                break
        until(lambda: push(crowd, frame(BINARY, bytes(16 * KIB)) * 16, places) == 0, slack(20), "nothing more is taken")
        queued = gauge(program, "swale_queued_bytes")
        grown = program.memory() - empty
        bound = READERS * (64 + 16 + 256)
        assert queued <= READERS * (64 + 16) * KIB + 64 * KIB, f"{queued / READERS:.0f} bytes queued for each"
        assert grown <= slack(bound + 8 * KIB), f"{grown} KiB for {READERS} slow readers"
        crowd.leave()
        until(lambda: gauge(program, "swale_queued_bytes") == 0, slack(10), "the queues empty")
    return f"{READERS} sent {sent / KIB / KIB:.0f} MiB; {queued / KIB / KIB:.0f} MiB were queued, {grown // KIB} MiB grown, {(empty - before) / READERS:.1f} KiB an idle one"


@FAULTS.fault("slow-listeners")
def slow_listeners():
    """A topic with as many listeners, a tenth of whom never read: what is published is kept once for all of them, they
    are closed when their backlog is full, and the others get everything."""
    rounds, size = 120, 60 * KIB
    with Program("--close-wait", "1s") as program, undisturbed(program):
        crowd = Crowd(program.port)
        crowd.join(COUNT // 10, "/topic/crowd", mute=True)
        before = program.memory()
        with Peer(program.port, patience=slack(20)) as quick, Peer(program.port, patience=slack(20)) as speaker:
            quick.upgrade(target="/topic/crowd")
            speaker.upgrade(target="/topic/crowd")
            for n in range(rounds):
                speaker.send(frame(BINARY, n.to_bytes(4, "big") + bytes(size - 4)))
                assert quick.message()[:4] == n.to_bytes(4, "big")
        until(lambda: program.counted("slow-reader") == COUNT // 10, slack(10), "all closed for being slow")
        grown = program.memory() - before
        assert grown < slack(24 * KIB), f"{grown} KiB for {rounds * size // KIB} KiB published"
        crowd.leave()
    return f"{COUNT // 10} who did not read were closed; memory grew by {grown} KiB"


@FAULTS.fault("slow-writers")
def slow_writers():
    """A byte of a frame at a time, from each in turn: nothing is set aside for what was only announced."""
    data = frame(TEXT, b"slow", announce=60_000)
    with Program() as program, undisturbed(program):
        crowd = Crowd(program.port)
        crowd.join(COUNT)
        before = program.memory()
        for byte in data:
            for member in crowd.members.values():
                member.socket.send(bytes([byte]))
        crowd.pass_time(0.2)
        grown = program.memory() - before
        assert not crowd.ends, f"some were cut: {crowd.ends}"
        assert grown < slack(8 * COUNT), f"{grown} KiB for {COUNT} beginnings of a message"
        crowd.leave()
    return f"{COUNT} slow writers hold {grown / COUNT:.1f} KiB each"


@FAULTS.fault("slow-requests")
def slow_requests():
    """Half of the request, then nothing: all are cut by the deadline, and not before."""
    with Program("--handshake-timeout", "2s", "--max-connections-per-address", "off") as program, undisturbed(program):
        raw = request()
        peers = [Peer(program.port) for _ in range(COUNT)]
        for n, peer in enumerate(peers):
            peer.send(raw[: n % len(raw)])
        began = time.monotonic()
        before = program.counted("handshake-timeout")
        for peer in peers:
            peer.until_end(slack(10))
            peer.socket.close()
        took = time.monotonic() - began
        assert program.counted("handshake-timeout") == before + COUNT
        return f"{COUNT} were cut, the last after {took:.1f} s of 2"


@FAULTS.fault("rst-storm")
def rst_storm():
    """At every stage, from eight at a time, as fast as they can."""
    raw = request() + frame(TEXT, b"a message") * 3 + closing(1000)
    seconds = 3
    with Program("--max-connections-per-address", "off") as program, undisturbed(program):
        end = time.monotonic() + seconds

        def act(seed):
            generator, count = random.Random(seed), 0
            while time.monotonic() < end:
                peer = Peer(program.port, patience=0.02)
                peer.try_send(raw[: generator.randrange(len(raw))])
                if generator.random() < 0.3:
                    with contextlib.suppress(Gone, OSError):
                        peer.take(1)
                peer.reset()
                count += 1
            return count

        total = sum(at_once(8, act))
        accepted = gauge(program, "swale_accepted_total")
        assert accepted > total * 0.1, f"{accepted:.0f} of {total} were accepted"
    return f"{total} resets in {seconds} s, {accepted:.0f} of them behind the accepting"


@FAULTS.fault("tls-garbage")
def tls_garbage():
    """On the TLS port, from eight at a time: noise, requests without TLS, hellos that are damaged anywhere, and
    handshakes that break off."""
    seconds = 3
    tls = Certificate()
    with Program("--max-connections-per-address", "off", tls=tls) as program, undisturbed(program):
        hello = real_hello()
        end = time.monotonic() + seconds

        def act(seed):
            generator, count = random.Random(seed), 0
            while time.monotonic() < end:
                with Peer(program.port, patience=2) as peer:
                    peer.try_send(garbage(generator, hello))
                    if generator.random() < 0.5:
                        peer.reset()
                    elif generator.random() < 0.5:
                        with contextlib.suppress(OSError):
                            peer.socket.shutdown(socket.SHUT_WR)
                            peer.until_end()
                count += 1
            return count

        total = sum(at_once(8, act))
        refused = sum(program.counted(reason) for reason in ("tls-handshake", "tls-protocol", "tls"))
        lines = sum("tls" in line for line in program.log)
        assert lines > 0, "not a line in the log"
    return f"{total} connections in {seconds} s, {refused:.0f} counted as faults of TLS, {lines} lines in the log"


def real_hello():
    """What Python would say first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a peer")


def garbage(generator, hello):
    kind = generator.randrange(4)
    if kind == 0:
        return random_bytes(generator, generator.randrange(1, 3000))
    if kind == 1:
        return request()
    if kind == 2:
        return hello[: generator.randrange(1, len(hello))]
    damaged = bytearray(hello)
    for _ in range(generator.randrange(1, 6)):
        damaged[generator.randrange(len(damaged))] = generator.randrange(256)
    return bytes(damaged)
