"""crowd.py - connections by the thousand, on one thread.

A member upgrades, perhaps speaks, and notes how it ended. Members come from many addresses, since a server allows only
so many from one; `network` keeps the addresses of several crowds apart.
"""

import collections
import multiprocessing
import resource
import select
import socket
import time

from wire import BINARY, CLOSE, CONT, PING, PONG, TEXT, close_code, frame, request

UPGRADING, OPEN = range(2)
PER_ADDRESS = 800
AT_ONCE = 100  # so many handshakes under way, so that nobody waits in the kernel's queue for long
WORDS = b"are you there?"
SPEECH = frame(BINARY, WORDS)


def raise_descriptor_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Member:
    """`talks`: each echo is answered by the next word. `mute`: reads nothing any more once it is open."""

    __slots__ = ("socket", "state", "buffer", "code", "talks", "mute")

    def __init__(self, connected, talks, mute):
        self.socket, self.talks, self.mute = connected, talks, mute
        self.state, self.buffer, self.code = UPGRADING, b"", 0


class Crowd:
    def __init__(self, port, network=1):
        raise_descriptor_limit()
        self.port, self.network = port, network
        self.poll = select.epoll()
        self.members = {}
        self.ends = collections.Counter()  # of (code of the close frame or 0, "fin" or "rst")
        self.made = self.opened = self.echoes = 0
        self.last_end = None

    # ---- Coming

    def _connect(self, target, talks, mute):
        connected = socket.socket()
        connected.bind((f"127.0.{self.network}.{1 + self.made // PER_ADDRESS}", 0))
        connected.connect(("127.0.0.1", self.port))
        connected.setblocking(False)
        connected.send(request(target))
        self.members[connected.fileno()] = Member(connected, talks, mute)
        self.poll.register(connected.fileno(), select.EPOLLIN)
        self.made += 1

    def join(self, count, target="/echo", talks=False, mute=False, patience=30):
        """Opens so many. Fails when one is refused."""
        wanted = self.opened + count
        end = time.monotonic() + patience
        while self.opened < wanted:
            for _ in range(min(AT_ONCE - (self.made - self.opened), wanted - self.made)):
                self._connect(target, talks, mute)
            self.step(0.1)
            assert time.monotonic() < end, f"{wanted - self.opened} of {count} not open after {patience} s: {self.ends}"

    # ---- Being there

    def step(self, seconds):
        for descriptor, _ in self.poll.poll(seconds, 256):
            member = self.members[descriptor]
            try:
                got = member.socket.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                self._end(descriptor, member, "rst")
                continue
            if not got:
                self._end(descriptor, member, "fin")
                continue
            member.buffer += got
            self._heard(descriptor, member)

    def _heard(self, descriptor, member):
        if member.state == UPGRADING:
            head, found, rest = member.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 101 "), head[:100]
            member.state, member.buffer = OPEN, rest
            self.opened += 1
            if member.mute:
                self.poll.unregister(descriptor)
            elif member.talks:
                self._say(member, SPEECH)
        while len(member.buffer) >= 2:
            size = member.buffer[1]
            assert size < 126, "not for long messages"
            if len(member.buffer) < 2 + size:
                return
            opcode, payload = member.buffer[0] & 15, member.buffer[2 : 2 + size]
            member.buffer = member.buffer[2 + size :]
            self._frame(member, opcode, payload)

    def _frame(self, member, opcode, payload):
        if opcode == CLOSE:
            member.code = int.from_bytes(payload[:2], "big") or 1005
            self._say(member, frame(CLOSE, payload))
        elif opcode == PING:
            self._say(member, frame(PONG, payload))
        elif opcode in (BINARY, TEXT, CONT) and member.talks:
            assert payload == WORDS, payload
            self.echoes += 1
            if not member.code:
                self._say(member, SPEECH)

    @staticmethod
    def _say(member, data):
        try:
            member.socket.send(data)
        except OSError:
            pass  # how it ended shows when it is read

    def _end(self, descriptor, member, how):
        self.ends[member.code, how] += 1
        self.last_end = time.monotonic()
        member.socket.close()
        del self.members[descriptor]

    def pass_time(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.step(left)

    def until_gone(self, seconds):
        """Until all have ended but those who are mute."""
        end = time.monotonic() + seconds
        while any(not member.mute for member in self.members.values()) and time.monotonic() < end:
            self.step(0.2)

    def leave(self):
        for member in self.members.values():
            member.socket.close()
        self.members.clear()


class Elsewhere:
    """A crowd in a process of its own: `act(crowd, tell, told)`, where tell(x) sends something to the test, and told()
    waits for what the test says by ask(x)."""

    def __init__(self, act, *arguments):
        self.pipe, far = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self._run, args=(act, far, *arguments), daemon=True)
        self.process.start()
        far.close()

    def _run(self, act, far, *arguments):
        self.pipe.close()
        act(Crowd(*arguments), far.send, far.poll)

    def ask(self, what=None):
        self.pipe.send(what)

    def hear(self, seconds):
        assert self.pipe.poll(seconds), f"the crowd said nothing for {seconds} s"
        try:
            return self.pipe.recv()
        except EOFError:
            raise AssertionError("the crowd's process has failed") from None

    def end(self):
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
