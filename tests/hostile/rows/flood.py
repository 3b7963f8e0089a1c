"""flood.py - peers that send much, read nothing, or both: memory stays bounded, and the others are served."""

import select
import time

from suite import Suite
from wire import BINARY, CONT, PING, PONG, TEXT, Gone, Peer, frame, get, opened, request

SUITE = Suite("--close-wait", "1s")
MIB = 1 << 20


def push(peers, data, most, patience=0.7):
    """Sends `data` over and over on each peer without reading, until the server takes no more for a while, has ended
    them, or has taken `most` bytes from each. Returns what each has sent."""
    sent = {peer: 0 for peer in peers}
    going = set(peers)
    for peer in peers:
        peer.socket.setblocking(False)
    while going:
        _, ready, _ = select.select([], [peer.socket for peer in going], [], patience)
        if not ready:
            break
        for peer in [peer for peer in going if peer.socket in ready]:
            try:
                offset = sent[peer] % len(data)
                sent[peer] += peer.socket.send(data[offset:])
            except BlockingIOError:
                continue
            except OSError:
                going.discard(peer)
            if sent[peer] >= most:
                going.discard(peer)
    for peer in peers:
        peer.socket.setblocking(True)
    return sent


@SUITE.row("slow-reader")
def slow_reader(program):
    with opened(program.port) as peer:
        sent = push([peer], frame(BINARY, bytes(65536)) * 16, 256 * MIB)[peer]
        assert sent < 256 * MIB, "256 MiB were taken from a peer that reads nothing"


@SUITE.row("slow-reader-goes-on")
def slow_reader_goes_on(program):
    """One that was held back, and then reads, loses nothing."""
    with opened(program.port, patience=10) as peer:
        data = frame(BINARY, bytes(65536)) * 16
        sent = push([peer], data, 64 * MIB)[peer]
        whole, rest = divmod(sent, len(data) // 16)
        peer.socket.settimeout(10)
        done = 0
        while done < whole:
            assert len(peer.message()) == 65536
            done += 1
        if rest:
            peer.send(data[rest : len(data) // 16])
            assert len(peer.message()) == 65536
        peer.echo()


@SUITE.row("slow-readers-50")
def slow_readers(program):
    peers = [opened(program.port) for _ in range(50)]
    push(peers, frame(BINARY, bytes(65536)) * 4, 8 * MIB)
    for peer in peers:
        peer.reset()


@SUITE.row("ping-unread")
def ping_unread(program):
    with opened(program.port) as peer:
        push([peer], frame(PING, b"p" * 125) * 1000, 32 * MIB)


@SUITE.row("ping-read")
def ping_read(program):
    """Only the latest of several pings needs a pong (RFC 6455 section 5.5.3); the echo shows that all were taken."""
    with opened(program.port, patience=10) as peer:
        pongs = 0
        for _ in range(100):
            peer.send(frame(PING) * 200, frame(TEXT, b"mark"))
            while True:
                got = peer.next()
                if got.opcode == TEXT:
                    break
                assert got.opcode == PONG
                pongs += 1
        assert pongs >= 1


@SUITE.row("pong-unsolicited")
def pong_unsolicited(program):
    with opened(program.port, patience=10) as peer:
        for _ in range(100):
            peer.send(frame(PONG, b"?") * 1000)
        peer.echo()


@SUITE.row("tiny-fragments")
def tiny_fragments(program):
    fragments(program, frame(CONT, b"x", fin=False))


@SUITE.row("empty-fragments")
def empty_fragments(program):
    fragments(program, frame(CONT, fin=False))


def fragments(program, one):
    with opened(program.port) as peer:
        peer.send(frame(TEXT, b"x", fin=False))
        for _ in range(500):
            if not peer.try_send(one * 1000):
                break
        try:
            code = peer.ended()
        except Gone:
            code = 0
        assert code in (0, 1008), code


@SUITE.row("tiny-segments")
def tiny_segments(program):
    payload = b"s" * 20_000
    with opened(program.port, patience=10) as peer:
        for byte in frame(TEXT, payload):
            peer.send(bytes([byte]))
        assert peer.message() == payload


@SUITE.row("announced-and-silent")
def announced_and_silent(program):
    """200 peers announce a MiB each and send a byte: nothing is set aside for what was only announced."""
    peers = [opened(program.port) for _ in range(200)]
    for peer in peers:
        peer.send(frame(BINARY, b"x", announce=MIB))
    time.sleep(0.2)
    for peer in peers:
        peer.reset()


@SUITE.row("announced-and-silent-beside-large")
def announced_and_silent_beside_large(program):
    """As many announce while another's messages of a MiB go to and fro: none of them gets the memory that such a
    message has just left."""
    large = frame(BINARY, bytes(MIB))
    with opened(program.port, patience=10) as other:
        peers = []
        for n in range(200):
            if n % 10 == 0:
                other.send(large)
                assert len(other.message()) == MIB
            peer = opened(program.port)
            peer.send(frame(BINARY, b"x" * 100, announce=MIB))
            peers.append(peer)
        other.send(large)
        assert len(other.message()) == MIB
    for peer in peers:
        peer.reset()


@SUITE.row("empty-messages")
def empty_messages(program):
    with opened(program.port, patience=10) as peer:
        for _ in range(100):
            peer.send(frame(TEXT) * 500)
            assert all(peer.message() == b"" for _ in range(500))


@SUITE.row("http-pipeline")
def http_pipeline(program):
    with Peer(program.port) as peer:
        push([peer], get("/healthz") * 1000, 4 * MIB)


@SUITE.row("many-topics")
def many_topics(program):
    """Topics go with those who listen to them."""
    for n in range(300):
        with opened_at(program, f"/topic/flood-{n}"):
            pass
    with opened_at(program, "/topic/" + "x" * 300, expect=None):
        pass


def opened_at(program, target, expect=101):
    peer = Peer(program.port)
    peer.send(request(target))
    status = peer.answer()
    assert expect is None or status == expect, f"{target}: {status}"
    return peer


@SUITE.row("slow-subscriber")
def slow_subscriber(program):
    """One that does not read is dropped from, or let go; the other subscribers get everything."""
    with opened_at(program, "/topic/crowd") as slow, opened_at(program, "/topic/crowd") as quick:
        with opened_at(program, "/topic/crowd") as speaker:
            for n in range(400):
                speaker.send(frame(BINARY, n.to_bytes(4, "big") + bytes(65532)))
                assert quick.message()[:4] == n.to_bytes(4, "big")
        slow.reset()
