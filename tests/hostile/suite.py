"""suite.py - a group of rows: each is one thing that a hostile or unlucky peer does, and the outcome allowed."""

import concurrent.futures

from wire import Peer, closing, opened


class Suite:
    """`options` are for the program. `rows` are (name, act); act takes the running program, and fails by an assertion
    or a timeout."""

    def __init__(self, *options, tls=False):
        self.options = options
        self.tls = tls
        self.rows = []

    def row(self, name):
        def add(act):
            self.rows.append((name, act))
            return act

        return add

    def answered(self, name, *inputs, by, reason=None, closes=True, shows=None):
        """Each input, on a connection of its own, is answered by one of the statuses `by` (0: dropped without an
        answer), with `shows` in the head, after which the server closes without a second answer and counts the
        reason."""

        def act(program):
            before = program.counted(reason) if reason else 0
            for data in inputs:
                with Peer(program.port) as peer:
                    peer.try_send(data)
                    status = peer.answer(body=not data.startswith(b"HEAD"))
                    assert status in by, f"{data[:120]!r}: {status}, not one of {by}"
                    assert not shows or shows.encode() in peer.head, f"{data[:120]!r}: no {shows!r} in {peer.head!r}"
                    if closes:
                        rest = peer.until_end()
                        assert b"HTTP/" not in rest, f"{data[:120]!r}: a second answer: {rest[:120]!r}"
            expect_counted(program, reason, before, len(inputs))

        self.rows.append((name, act))

    def ends(self, name, *inputs, code, reason=None, passes=None, opener=None):
        """Each input, on an upgraded connection of its own (from `opener`), makes the server close with `code`, or one
        of several, and count the reason. `passes` are the messages that it answers before."""
        codes = code if isinstance(code, tuple) else (code,)

        def act(program):
            before = program.counted(reason) if reason else 0
            for data in inputs:
                with opener(program) if opener else opened(program.port) as peer:
                    peer.try_send(data)
                    got = peer.ended()
                    assert got in codes, f"{data[:40].hex(' ')}: closed with {got}, not {codes}"
                    heard = [passed.payload for passed in peer.passed]
                    assert heard == (passes or []), f"{data[:40].hex(' ')}: heard {heard}"
            expect_counted(program, reason, before, len(inputs))

        self.rows.append((name, act))


def expect_counted(program, reason, before, times):
    if reason:
        got = program.counted(reason) - before
        assert got == times, f"{reason} was counted {got:g} times, not {times}"


def at_once(count, act, threads=8):
    """Does act(n) for n below count, on a few threads. The first failure is raised."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(act, range(count)))


def say_goodbye(peer):
    peer.send(closing(1000))
    code = peer.ended(answer=False)
    assert code == 1000, f"the close was answered by {code}"
