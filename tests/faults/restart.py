"""restart.py - the program is killed under load, and started again at the same port: everyone comes back."""

import os
import random
import signal
import tempfile
import time

from faults import Faults, served
from herd import Herd
from program import SANITIZED, Certificate, Program, slack
from wire import opened

FAULTS = Faults()
COUNT = 100 if SANITIZED else 500


def killed_again_and_again(tls, rounds):
    generator = random.Random(3)
    program = Program(tls=tls)
    port = program.port
    scheme = "wss" if tls else "ws"
    gaps = []
    try:
        with Herd(f"{scheme}://localhost:{port}/echo", COUNT, tls) as herd:
            herd.until_whole(20)
            for _ in range(rounds):
                time.sleep(generator.uniform(0, 0.3))  # whatever it is doing then
                before = herd.figures()
                program.process.kill()
                program.wait(5)
                began = time.monotonic()
                program = Program(listen=f"127.0.0.1:{port}", tls=tls)
                served(program)
                herd.until_whole(20)
                gaps.append(time.monotonic() - began)
                after = herd.figures()
                assert after["openings"] >= before["openings"] + COUNT, f"{before}, then {after}"
                assert after["wrong"] == after["lost"] == 0, after
            echoes = herd.figures()["echoes"]
            assert echoes > COUNT * rounds, f"only {echoes} echoes: there was no load"
        program.stop()
    finally:
        program.kill()
    return f"{COUNT} clients, {rounds} times killed: all were back after {max(gaps):.1f} s at most; {echoes} echoes, none wrong"


@FAULTS.fault("kill")
def kill():
    return killed_again_and_again(None, 4)


@FAULTS.fault("kill-tls")
def kill_tls():
    return killed_again_and_again(Certificate(), 2)


@FAULTS.fault("hand-over")
def hand_over():
    """The next one takes the port as soon as the one that drains has let go of it."""
    program = Program()
    port = program.port
    following = None
    try:
        with Herd(f"ws://localhost:{port}/echo", COUNT) as herd:
            herd.until_whole(20)
            program.signal(signal.SIGTERM)
            end = time.monotonic() + slack(10)
            while not following:
                try:
                    following = Program(listen=f"127.0.0.1:{port}")
                except AssertionError:
                    assert time.monotonic() < end, "the port is not free"
            assert program.wait(slack(15)) == 0
            herd.until_whole(20)
            assert herd.figures()["lost"] == 0
        following.stop()
    finally:
        program.kill()
        if following:
            following.kill()


@FAULTS.fault("unix-socket")
def unix_socket():
    """The file of a killed one is in nobody's way."""
    with tempfile.TemporaryDirectory(prefix="swale-unix-") as directory:
        path = os.path.join(directory, "socket")
        for _ in range(3):
            program = Program("--listen", f"unix:{path}")
            with opened(program.port) as peer:
                peer.echo()
            program.process.kill()
            program.wait(5)
            assert os.path.exists(path)
        with Program("--listen", f"unix:{path}"):
            pass
        assert not os.path.exists(path), "it is left behind"
