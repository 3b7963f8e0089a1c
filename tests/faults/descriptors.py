"""descriptors.py - the program has none left (EMFILE)."""

import os
import re
import select
import signal
import subprocess
import tempfile
import time

from faults import Faults, undisturbed
from program import Certificate, Program, slack, until
from wire import Peer, get, opened, request

FAULTS = Faults()
LIMIT = 64


def crowd_beyond(program):
    """So many peers that some of them are left in the kernel's queue, each with its request."""
    crowd = [Peer(program.port) for _ in range(LIMIT + 60)]
    for peer in crowd:
        peer.try_send(request())
    until(lambda: "Too many open files" in program.text(), slack(5), "a line in the log")
    return crowd


def leave(crowd):
    for peer in crowd:
        peer.socket.close()


def metric(peer, name):
    """By a connection that is open already."""
    peer.send(get("/metrics"))
    while b"\r\n\r\n" not in peer.buffer:
        peer._more()
    head, _, rest = peer.buffer.partition(b"\r\n\r\n")
    peer.buffer = rest
    body = peer.take(int(re.search(rb"content-length: (\d+)", head, re.I)[1])).decode()
    return float(re.search(rf"^{name} (.*)$", body, re.M)[1])


@FAULTS.fault("accept")
def accept():
    """Accepting rests, with a line in the log and a count, costs nothing meanwhile, and goes on by itself: everyone who
    waited is served in the end."""
    with Program(descriptors=LIMIT) as program, undisturbed(program):
        with Peer(program.port) as operator:
            assert metric(operator, "swale_accept_errors_total") == 0
            crowd = crowd_beyond(program)
            burnt = program.cpu()
            time.sleep(1)
            burnt = program.cpu() - burnt
            assert burnt < 0.3, f"{burnt:.2f} s of processor time in a second"
            errors = metric(operator, "swale_accept_errors_total")
            lines = sum("Too many open files" in line for line in program.log)
            assert 1 <= errors <= 60, f"{errors} failures in about a second"
            assert 1 <= lines <= 60, f"{lines} lines in about a second"
            total = len(crowd)
            while crowd:  # those who are in give up their places, and the next come in, in whichever order
                inside = select.select(crowd, [], [], slack(5))[0]
                assert inside, f"{len(crowd)} of {total} are never served"
                for peer in inside:
                    assert peer.answer() == 101
                    peer.echo()
                    peer.socket.close()
                    crowd.remove(peer)
        return f"{errors:.0f} failures to accept were counted, all of {total} served in the end"


@FAULTS.fault("files")
def files():
    """A file cannot be opened: 503."""
    with tempfile.TemporaryDirectory() as root:
        with open(os.path.join(root, "page.txt"), "w", encoding="ascii") as file:
            file.write("words")
        os.chmod(root, 0o755)
        with Program("--root", root, descriptors=LIMIT) as program, undisturbed(program):
            with Peer(program.port) as reader:
                reader.send(get("/page.txt"))
                assert reader.answer() == 200
                crowd = crowd_beyond(program)
                reader.send(get("/page.txt"))
                status = reader.answer()
                assert status == 503, f"{status} without a descriptor"
            leave(crowd)
            # Whoever of them was still waiting to be accepted takes descriptors once more, for a moment.
            until(lambda: is_served(program), slack(5), "the page")


def is_served(program):
    with Peer(program.port) as reader:
        reader.send(get("/page.txt"))
        return reader.answer() == 200


@FAULTS.fault("reload")
def reload():
    """The certificate cannot be read: the old one stays."""
    tls = Certificate()
    with Program(tls=tls, descriptors=LIMIT) as program, undisturbed(program):
        crowd = [Peer(program.port) for _ in range(LIMIT + 60)]
        until(lambda: "Too many open files" in program.text(), slack(5), "a line in the log")
        lines = len(program.log)
        program.signal(signal.SIGHUP)
        until(lambda: any(" tls " in line and "open" in line for line in program.log[lines:]), slack(5), "a line")
        leave(crowd)
        with opened(program.port, tls=program.tls_context()) as peer:
            peer.echo()
        program.signal(signal.SIGHUP)
        until(lambda: "certificates reloaded" in program.text(), slack(5), "the reload")


@FAULTS.fault("too-few-to-start")
def too_few_to_start():
    """It says so and ends, whatever it lacks a descriptor for."""
    good = 0
    for limit in range(3, 40):
        made = subprocess.run(
            ["sh", "-c", f'ulimit -n {limit}; exec "$0" serve --demo --listen 127.0.0.1:0 --listen nowhere:x --threads 2']
            + [os.environ["SWALE_PROGRAM"]],
            capture_output=True,
            timeout=slack(10),
            text=True,
        )
        assert made.returncode in (1, 2, 127), f"limit {limit}: status {made.returncode}: {made.stderr}"
        told = [line for line in made.stderr.splitlines() if line.startswith("swale serve: ")]
        assert made.returncode == 127 or len(told) == 1, f"limit {limit}: {made.stderr!r}"
        good += made.returncode == 2
    assert good > 0, "never got so far as to see what is wrong"
