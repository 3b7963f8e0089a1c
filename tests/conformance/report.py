"""report.py - results by section, and the comparison with the deviations that are known of a peer.

A file of known deviations has a line for each case that is not OK:

    non-strict  7692:7.1/offer-x    why it is so
    FAIL        5.2/y               why

Any other result that is not OK is wrong, and so is a line whose case is not so (any more)."""

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


def known_deviations(path):
    known = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                status, name, _ = line.split(None, 2)
                known[name] = status
    return known


def surprises(results, known):
    """What differs from the known deviations, as sentences."""
    got = {result.case.id: result.status for result in results if result.status != OK}
    told = []
    for name in sorted({*got, *known}):
        if got.get(name) != known.get(name):
            told.append(f"{name}: {got.get(name, OK)}, and not {known.get(name, OK)} as expected")
    return told
