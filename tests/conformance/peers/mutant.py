"""mutant.py - the register of mutants: strict.py with one rule broken at a time, and the cases that must notice.

A mutant of a rule that says SHOULD may be caught by NON-STRICT; all others by a FAIL. A variant does what the RFCs leave
open, and must not be caught."""

import dataclasses

MUTANTS = {}
VARIANTS = {}


@dataclasses.dataclass
class Mutant:
    name: str
    rule: str
    kind: type
    cases: tuple  # patterns of those that are played
    should: bool = False


def name_of(kind):
    """IgnoresPings: ignores-pings."""
    return "".join("-" + letter.lower() if letter.isupper() else letter for letter in kind.__name__).lstrip("-")


def register(into):
    """A decorator by which classes get there."""

    def register_with(rule, *cases, should=False):
        def add(kind):
            into[name_of(kind)] = Mutant(name_of(kind), rule, kind, cases, should)
            return kind

        return add

    return register_with


mutant = register(MUTANTS)
variant = register(VARIANTS)
