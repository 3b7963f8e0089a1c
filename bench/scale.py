#!/usr/bin/env python3
"""A hundred thousand connections on one machine.

    bench/scale.py [--connections N] [--rounds N] [--json FILE] BUILD

One process may have so many descriptors and no more (`ulimit -Hn`), so there are as many `swale serve` of one thread as it takes. All of
them share one core and all the load the other, as far as there are two: what is measured is one loop's work for all the connections, in slices.
All limits, checks and timers of the servers are on, at their defaults.

    1. Clients that only listen (bench/crowd.c) connect to one topic, and are left alone: memory, user's and kernel's, with what each kind
       of kernel object costs; then two rounds of heartbeats: the servers' CPU time, and what the loops' longest turn was meanwhile.
    2. One message of 100 bytes is published at once on all the servers, for everyone, ROUNDS times: how long until the last one has read it, CPU
       time for a delivery, the longest turn, and how long an echo took meanwhile that had nothing to do with it.
    3. The same number of connections, lightly active (`swale bench --rate`): each sends a message now and then and has it back. Latencies,
       CPU time for a message, and memory again.

The JSON (--json FILE) has the figures that are printed, by these parts; `when`, `machine` and `swale` are as in bench/harness.
"""
import argparse
import base64
import dataclasses
import json
import os
import re
import resource
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import urllib.request

sys.dont_write_bytecode = True
from harness import accounts, report  # noqa: E402 (after the line above)
from harness.processes import end, load_cores, server_cores, start  # noqa: E402

PAGE = os.sysconf("SC_PAGE_SIZE")
SPARE_DESCRIPTORS = 500
HEARTBEATS = 2
MESSAGE = 100


@dataclasses.dataclass(frozen=True)
class Pace:
    """In seconds."""
    ping_after: int  # silence before a ping
    echo: int  # how long connections are lightly active
    echo_every: int  # from one message of a connection to its next


FULL = Pace(ping_after=25, echo=20, echo_every=20)  # 25 is the server's default
QUICK = Pace(ping_after=1, echo=4, echo_every=2)


# ---- Processes

def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


class Server:
    def __init__(self, build, pace):
        command = [f"{build}/swale", "serve", "--demo", "--threads", "1", "--log", "off", "--listen", "127.0.0.1:0"]
        command += ["--ping", f"{pace.ping_after}s"]
        self.process = start(command, server_cores(1), stdout=subprocess.PIPE, text=True)
        self.port = int(re.search(r":(\d+)/", self.process.stdout.readline())[1])

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


class Servers:
    def __init__(self, build, count, pace):
        self.all = [Server(build, pace) for _ in range(count)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.all:
            end(server.process)

    def cpu(self):
        return sum(accounts.Account(server.process.pid).cpu for server in self.all)

    def private(self):
        return sum(accounts.private_bytes(server.process.pid) for server in self.all)

    def metric(self, name, join=sum):
        return join(server.metrics()["swale_" + name] for server in self.all)


class Crowd:
    """Listeners of one server, which are open when this has been made."""

    def __init__(self, build, port, count):
        command = [f"{build}/bench/crowd", str(port), "/topic/all", str(count)]
        self.process = start(command, load_cores(1), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "open\n":
            raise SystemExit("scale: the connections could not be opened")

    def heard(self):
        """Messages since the last report, and the instants at which the first, the middle, 99% and the last had theirs."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return [int(word) for word in self.process.stdout.readline().split()]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


# ---- A WebSocket client of a few lines

def dial(port, path):
    connection = socket.create_connection(("127.0.0.1", port), 60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(4096)
    if not head.startswith(b"HTTP/1.1 101 "):
        raise SystemExit("scale: a handshake was refused")
    return connection


def frame(payload):
    """A short text message of a client; its mask is 0, which changes nothing."""
    return struct.pack("!BB", 0x81, 0x80 | len(payload)) + bytes(4) + payload


class Probe(threading.Thread):
    """Echoes on connections of its own, one after the other, all the time: how long each took, in seconds."""

    def __init__(self, servers):
        super().__init__(daemon=True)
        self.connections = [dial(server.port, "/echo") for server in servers.all]
        self.took, self.over = [], False
        self.start()

    def run(self):
        while not self.over:
            for connection in self.connections:
                asked = time.monotonic()
                connection.sendall(frame(b"are you there?"))
                connection.recv(4096)
                self.took.append(time.monotonic() - asked)
            time.sleep(0.002)

    def end(self):
        self.over = True
        self.join()
        for connection in self.connections:
            connection.close()
        self.took.sort()
        return {name: round(1000 * self.took[int(part * (len(self.took) - 1))], 3) for name, part in (("p50", .5), ("p99", .99), ("max", 1))}


# ---- Memory

def slabs():
    """Kernel objects: name -> how many, and what one takes of its slab. Empty for those who may not look."""
    try:
        lines = read("/proc/slabinfo").splitlines()[2:]
    except PermissionError:
        return {}
    rows = (line.split() for line in lines)
    return {row[0]: (int(row[1]), int(row[5]) * PAGE / int(row[4])) for row in rows}


def slab_growth(before, after, count):
    """What there is more of: objects and bytes for each of `count` connections. Kinds of the same size share slabs, and one of their names.

    Whoever looks through /proc/PID/fd meanwhile (monitors do) makes an inode and a directory entry for each descriptor, which count here as
    the sockets' own do; these are left out."""
    more = {name: (number - before.get(name, (0, 0))[0], size) for name, (number, size) in after.items()}
    foreign = more.pop("proc_inode_cache", (0, 0))[0]
    for name in ("dentry", "lsm_inode_cache"):
        if name in more:
            more[name] = (more[name][0] - foreign, more[name][1])
    return {name: {"objects": round(number / count, 2), "bytes": round(number * size / count)}
            for name, (number, size) in more.items() if number > count / 2}


def server_part(name, objects):
    """How much of it the server's end has: half, where both ends do the same. The clients wait by epoll (whose entries have the slab of their ports),
    the servers by io_uring where there is one, with standing orders that nobody else has."""
    if name == "io_kiocb":
        return 1
    return 0 if "io_kiocb" in objects and name in ("eventpoll_epi", "ep_head") else 0.5


def socket_buffers():
    return int(re.search(r"^TCP:.* mem (\d+)", read("/proc/net/sockstat"), re.M)[1]) * PAGE


class Memory:
    def __init__(self, servers):
        self.user, self.buffers, self.slabs = servers.private(), socket_buffers(), slabs()

    def since(self, before, count):
        """Bytes for each of `count` connections; the kernel's at the server's end, because both lie in the same kernel here."""
        objects = slab_growth(before.slabs, self.slabs, count)
        for name, kind in objects.items():
            kind["part"] = server_part(name, objects)
        return {"user": round((self.user - before.user) / count), "kernel": round(sum(kind["bytes"] * kind["part"] for kind in objects.values())),
                "kernel_buffers": round((self.buffers - before.buffers) / count / 2), "kernel_objects_of_both_ends": objects}


# ---- The parts

def shares(count, servers):
    return [count // servers + (i < count % servers) for i in range(servers)]


def heartbeats(servers, pace):
    """Two rounds of pings, while nothing else happens."""
    seconds = HEARTBEATS * pace.ping_after
    cpu, pongs, turns = servers.cpu(), servers.metric('heartbeats_total{kind="pong"}'), servers.metric("loop_turns_total")
    time.sleep(seconds)
    cpu = servers.cpu() - cpu
    pongs = servers.metric('heartbeats_total{kind="pong"}') - pongs
    turns = servers.metric("loop_turns_total") - turns
    return {"seconds": seconds, "answered": int(pongs), "turns": int(turns), "cpu_us": round(1e6 * cpu / pongs, 2),
            "busy_percent": round(100 * cpu / seconds, 2)}


def broadcast(servers, crowds, count):
    """One message to all, at once on all servers."""
    publishers = [dial(server.port, "/topic/all") for server in servers.all]
    for crowd in crowds:
        crowd.heard()
    cpu, began, deadline = servers.cpu(), time.monotonic_ns(), time.monotonic() + 60
    for publisher in publishers:
        publisher.sendall(frame(b"x" * MESSAGE))
    messages, first, last = 0, [], []
    while messages < count:
        if time.monotonic() > deadline:
            raise SystemExit("scale: a message did not reach everyone")
        time.sleep(0.2)
        for crowd in crowds:
            got = crowd.heard()
            messages += got[0]
            first += [got[1]] if got[0] else []
            last.append(got[4])
    cpu = servers.cpu() - cpu
    for publisher in publishers:
        publisher.close()
    return {"first_ms": (min(first) - began) / 1e6, "last_ms": (max(last) - began) / 1e6, "cpu_us": 1e6 * cpu / count}


def broadcasts(servers, crowds, count, rounds):
    lag, probe, runs = servers.metric("loop_lag_max_seconds", max), Probe(servers), []
    for _ in range(rounds):
        runs.append(broadcast(servers, crowds, count))
        time.sleep(0.5)
    result = {name: {"median": round(statistics.median(run[name] for run in runs), 2), "min": round(min(run[name] for run in runs), 2),
                     "max": round(max(run[name] for run in runs), 2)} for name in runs[0]}
    return {"rounds": rounds, "bytes": MESSAGE, **result, "echo_meanwhile_ms": probe.end(), "longest_turn_before_ms": round(1000 * lag, 2),
            "longest_turn_ms": round(1000 * servers.metric("loop_lag_max_seconds", max), 2), "user_after": servers.private()}


def lightly_active(build, servers, counts, pace):
    """Open-loop echoes of 20 bytes on all the connections; a thousand from each address, as many as the servers let in."""
    loads = [start([f"{build}/swale", "bench", "--json", "-c", str(count), "-s", "20", "-r", str(max(1, count // pace.echo_every)),
                    "-d", f"{pace.echo}s", "--timeout", "60s", f"ws://127.0.0.1:{server.port}/echo"]
                   + [f"--local-address=127.0.1.{1 + n}" for n in range(-(-count // 1000))],
                   load_cores(1), stdout=subprocess.PIPE) for server, count in zip(servers.all, counts)]
    while servers.metric("connections{state=\"open\"}") < sum(counts) and all(load.poll() is None for load in loads):
        time.sleep(0.5)
    time.sleep(pace.echo / 10)
    cpu, messages, began = servers.cpu(), servers.metric('messages_total{direction="in"}'), time.monotonic()
    time.sleep(pace.echo / 2)
    messages = servers.metric('messages_total{direction="in"}') - messages
    cpu, seconds, user = servers.cpu() - cpu, time.monotonic() - began, servers.private()
    results = [json.loads(load.communicate()[0]) for load in loads]
    lost = sum(result["connections"]["lost"] + result["connections"]["failed"] for result in results)
    return {"messages_per_second": round(messages / seconds), "cpu_us": round(1e6 * cpu / messages, 2), "busy_percent": round(100 * cpu / seconds, 1),
            "latency_us": {name: max(result["latency_us"][name] for result in results) for name in ("p50", "p99", "p99.9", "max")},
            "lost": lost, "user_bytes": user}


# ---- All of it

def measure(build, count, rounds, pace):
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    needed = -(-count // (descriptors - SPARE_DESCRIPTORS))
    counts = shares(count, needed)
    result = {**report.heading(build), "connections": count, "processes": needed}
    with Servers(build, needed, pace) as servers:
        before, began = Memory(servers), time.monotonic()
        crowds = [Crowd(build, server.port, share) for server, share in zip(servers.all, counts)]
        result["opening_seconds"] = round(time.monotonic() - began, 1)
        time.sleep(1)
        result["memory"] = Memory(servers).since(before, count)
        show(result, "memory")
        result["heartbeat"] = heartbeats(servers, pace)
        show(result, "heartbeat")
        result["broadcast"] = broadcasts(servers, crowds, count, rounds)
        result["broadcast"]["user_after"] = round((result["broadcast"]["user_after"] - before.user) / count)
        show(result, "broadcast")
        for crowd in crowds:
            crowd.end()
        while servers.metric("connections{state=\"open\"}") > 0:
            time.sleep(0.2)
        result["active"] = lightly_active(build, servers, counts, pace)
        result["active"]["user"] = round((result["active"].pop("user_bytes") - before.user) / count)
        show(result, "active")
    return result


def show(result, part):
    print(f"{part}: {json.dumps(result[part])}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", metavar="BUILD")
    parser.add_argument("--connections", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="pings after a second, and everything shorter: to see that it works")
    options = parser.parse_args()
    result = measure(options.build, options.connections, options.rounds, QUICK if options.quick else FULL)
    if options.json:
        report.write(options.json, result)


if __name__ == "__main__":
    main()
