"""faults.py - a group of faults, and what all of them watch."""

import contextlib
import time

from bystander import Bystander
from program import slack, until
from wire import opened


class Faults:
    """(name, act); act fails by an exception, and may return figures for people. `lacks` tells what this machine has
    not, if they need something that not all have."""

    def __init__(self, lacks=lambda: None):
        self.all = []
        self.lacks = lacks

    def fault(self, name):
        def add(act):
            self.all.append((name, act))
            return act

        return add


@contextlib.contextmanager
def undisturbed(program, delay=2.0):
    """Meanwhile an honest peer must notice nothing, the program must not end; and afterwards it serves a new one, its
    descriptors are back, and nothing burns."""
    with opened(program.port, tls=program.tls_context()) as first:
        first.echo()
    held = program.descriptors()
    bystander = Bystander(program, delay)
    bystander.start()
    try:
        yield bystander
        assert program.alive(), "the program has ended:\n" + program.text()
        bystander.judge()
    finally:
        bystander.leave()
    served(program)
    until(lambda: program.descriptors() <= held, slack(10), "descriptors back")
    idle(program)


def served(program):
    with opened(program.port, tls=program.tls_context()) as fresh:
        fresh.echo()


def idle(program):
    before = program.cpu()
    time.sleep(0.3)
    burnt = program.cpu() - before
    assert burnt <= 0.1, f"{burnt:.2f} s of processor time in an idle 0.3 s"
