"""proc.py - the process: its descriptors, its signals, its limits, what it keeps and what it writes."""

import resource
import signal
import time

from program import Program, slack
from suite import Suite, at_once
from wire import TEXT, Peer, closing, frame, get, opened, request

SUITE = Suite("--close-wait", "1s")


@SUITE.row("emfile")
def emfile(program):
    """Without descriptors left: those who are in are served, nothing spins, and it recovers by itself."""
    limits = resource.prlimit(program.pid, resource.RLIMIT_NOFILE)
    room = program.descriptors() + 16
    with opened(program.port) as old:
        resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (room, limits[1]))
        crowd = [Peer(program.port) for _ in range(80)]
        try:
            for peer in crowd:
                peer.try_send(request())
            time.sleep(0.3)
            before = program.cpu()
            for _ in range(10):
                old.echo()
                time.sleep(0.1)
            burnt = program.cpu() - before
            assert burnt < 0.4, f"{burnt:.2f} s of processor time in a second"
        finally:
            for peer in crowd:
                peer.socket.close()
            with_room = time.monotonic()
            with opened(program.port, patience=slack(5)) as fresh:
                fresh.echo()
            resource.prlimit(program.pid, resource.RLIMIT_NOFILE, limits)
        assert time.monotonic() - with_room < slack(3)


@SUITE.row("stop-cont")
def stop_cont(program):
    """Time stood still for a second and a half."""
    with opened(program.port) as peer:
        program.signal(signal.SIGSTOP)
        time.sleep(1.5)
        program.signal(signal.SIGCONT)
        peer.echo()


@SUITE.row("harmless-signals")
def harmless_signals(program):
    with opened(program.port) as peer:
        for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGHUP, signal.SIGCHLD, signal.SIGWINCH):
            program.signal(number)
            peer.echo()


@SUITE.row("leak")
def leak(program):
    def act(_):
        with opened(program.port) as peer:
            peer.echo(b"x" * 5000)
            peer.send(closing(1000))
            assert peer.ended(answer=False) == 1000

    at_once(300, act)
    warm = program.memory()
    at_once(1000, act)
    grown = program.memory() - warm
    assert grown <= slack(4 * 1024), f"{grown} KiB kept by a thousand connections"


@SUITE.row("sigterm-drain")
def sigterm_drain(_):
    """Everyone hears 1001 at once, also who answers nothing; the process ends within its limit."""
    other = Program("--drain", "2s", "--close-wait", "1s")
    try:
        peers = [opened(other.port) for _ in range(50)]
        mute = opened(other.port)
        half = Peer(other.port)
        half.send(request()[:50])
        began = time.monotonic()
        other.signal(signal.SIGTERM)
        for peer in peers:
            assert peer.ended() in (1001, 1012)
            peer.socket.close()
        assert time.monotonic() - began < slack(1.5)
        other.stop()
        took = time.monotonic() - began
        assert took < slack(4), f"draining took {took:.1f} s"
        mute.socket.close()
        half.socket.close()
    finally:
        other.kill()


@SUITE.row("sigterm-twice")
def sigterm_twice(_):
    """The second cuts what the first waits for."""
    other = Program("--drain", "60s", "--close-wait", "60s")
    try:
        with opened(other.port) as peer:
            began = time.monotonic()
            other.signal(signal.SIGTERM)
            assert peer.next().payload[:2] == (1001).to_bytes(2, "big")
            other.stop()
            assert time.monotonic() - began < slack(3)
    finally:
        other.kill()


@SUITE.row("max-connections")
def max_connections(_):
    other = Program("--max-connections", "12")
    try:
        peers = [opened(other.port) for _ in range(12)]
        for _ in range(3):
            with Peer(other.port) as peer:
                peer.try_send(request())
                assert peer.answer() in (0, 503)
                peer.until_end()
        for peer in peers:
            peer.echo()
            peer.socket.close()
        end = time.monotonic() + slack(5)
        while True:
            with Peer(other.port) as peer:
                peer.try_send(request())
                if peer.answer() == 101:
                    break
            assert time.monotonic() < end, "still full"
        assert other.counted("too-many-connections") == 3
        other.stop()
    finally:
        other.kill()


@SUITE.row("max-connections-per-address")
def max_connections_per_address(_):
    other = Program("--max-connections-per-address", "5")
    try:
        peers = [opened(other.port) for _ in range(5)]
        with Peer(other.port) as peer:
            peer.try_send(request())
            assert peer.answer() in (0, 429)
        for peer in peers:
            peer.echo()
            peer.socket.close()
        other.stop()
    finally:
        other.kill()


@SUITE.row("log-lines")
def log_lines(program):
    """Nothing that a peer says begins a line of the log or steers a terminal."""
    with Peer(program.port) as peer:
        peer.send(get("/%0a%1b[31mred", more=[b'User-Agent: "\\" \xc2\x9b31m \xff']))
        peer.answer()
    with Peer(program.port) as peer:
        peer.send(request(origin="https://evil.example/\xff\\n"))
        peer.answer()
    with opened(program.port) as peer:
        peer.send(closing(4000, b"bye\r\n2026-01-01 fake \x1b[2J"))
        peer.ended(answer=False)
    with opened(program.port) as peer:
        peer.send(frame(TEXT, b"\xff"))
        assert peer.ended() == 1007
    time.sleep(0.1)
    text = program.text()
    strange = {char for char in text if (ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160}
    assert not strange, f"{strange} in the log"
    assert "fake" not in [line[11:15] for line in program.log]
    assert 'utf8' in text, "the reason is not in the log"
