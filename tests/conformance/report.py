"""report.py - results by section, and the comparison with the deviations that are known of a peer.

A file of known deviations has a line for each case that is not OK:

    non-strict  7692:7.1/offer-x    why it is so
    FAIL        5.2/y               why

A name may be a pattern of the shell (7692:7.1/*-bits-8*): then all that it fits are so; the first line that fits a case
counts. A status may be two, joined by "|", the worse last, where it is left to chance which. Any other result that is not
OK is wrong, and so is a line whose case is not so (any more)."""

import fnmatch

from outcomes import DECLINED, FAIL, NON_STRICT, OK

COLUMNS = (OK, NON_STRICT, DECLINED, FAIL)


def by_section(sections, results):
    """[(section, {status: count})] for those with results."""
    table = []
    for section in sections:
        mine = [result.status for result in results if result.case.section is section]
        if mine:
            table.append((section, {status: mine.count(status) for status in COLUMNS}))
    return table


def print_table(table):
    print(f"\n{'section':<44}" + "".join(f"{status:>12}" for status in COLUMNS))
    for section, counts in table:
        name = f"{section.number} {section.title}"
        print(f"{name:<44}" + "".join(f"{counts[status] or '-':>12}" for status in COLUMNS))
    sums = [sum(counts[status] for _, counts in table) for status in COLUMNS]
    print(f"{f'{sum(sums)} cases':<44}" + "".join(f"{number:>12}" for number in sums))


def print_result(result):
    case = result.case
    print(f"\n{result.status} {case.id}: {case.rule} ({case.section.cites}; {result.seconds:.1f} s)")
    print(f"    sent     {result.sent}\n    allowed  {result.allowed}\n    seen     {result.seen}", flush=True)


def teller(known, verbose=False):
    """Tells of a result when it is there, if it is not as it should be."""

    def tell(result):
        if result.status != OK and result.status not in expected(known, result.case):
            print_result(result)
        elif verbose:
            print(f"{result.status:<10} {result.case.id} ({result.seconds:.2f} s)", flush=True)

    return tell


def known_deviations(path):
    """[(pattern, statuses)]"""
    known = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                statuses, pattern, _ = line.split(None, 2)
                known.append((pattern, statuses.split("|")))
    return known


def expected(known, case):
    """The statuses that a case may have; the first line that names it counts."""
    return next((statuses for pattern, statuses in known if fnmatch.fnmatchcase(case.id, pattern)), [OK])


def surprises(results, known):
    """What differs from the known deviations, as sentences."""
    told = []
    for result in results:
        if result.status not in expected(known, result.case):
            told.append(f"{result.case.id}: {result.status}, and not {' or '.join(expected(known, result.case))}")
    for pattern, _ in known:
        if not any(fnmatch.fnmatchcase(result.case.id, pattern) for result in results):
            told.append(f"{pattern}: no such case")
    return told
