"""results.py - the figures of bench/results/*.json.

There are three kinds of files: what bench/run writes (its cells may be spread over several files; of a cell that is in more than one the
newest counts), what bench/scale.py writes, and the list of bench/micro --json.
"""
import json
import pathlib

NAMES = {
    "swale": "Swale",
    "swale-epoll": "Swale, epoll",
    "swale-io_uring": "Swale, io_uring",
    "bare-epoll": "bare TCP, epoll",
    "bare-io_uring": "bare TCP, io_uring",
    "uws": "uWebSockets",
    "beast": "Boost.Beast",
    "gorilla": "gorilla (Go)",
    "ws": "ws (Node.js)",
    "websockets": "websockets (Python)",
    "nchan": "nchan (nginx)",
}


def name_of(subject):
    return NAMES.get(subject, subject)


def is_bare(subject):
    return subject.startswith("bare")


def is_ours(subject):
    return subject.startswith("swale")


class Results:
    def __init__(self, directory):
        self.cells, self.scale, self.micro = {}, None, []
        files = sorted(pathlib.Path(directory).glob("*.json"))
        found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        runs = sorted((one for one in found if "cells" in one), key=lambda one: one["when"])
        for run in runs:
            self.cells.update((cell["name"], cell) for cell in run["cells"])
        self.runs = [run for run in runs if any(cell is self.cells[cell["name"]] for cell in run["cells"])]
        for other in found:
            if isinstance(other, list):
                self.micro = other
            elif "cells" not in other:
                self.scale = other

    def subjects_of(self, cells):
        """Who took part in any of these cells, in the order of the first."""
        return list(dict.fromkeys(subject["name"] for cell in cells for subject in self.cells[cell]["subjects"]))

    def there(self, cells):
        return [cell for cell in cells if cell in self.cells]

    def point(self, cell, subject, x=None):
        """None when there is none."""
        for one in self.cells[cell]["subjects"]:
            for point in one["points"]:
                if one["name"] == subject and point["x"] == x:
                    return point
        return None

    def figure(self, cell, subject, name, x=None):
        point = self.point(cell, subject, x)
        return point["figures"][name]["median"] if point else None

    def xs(self, cell):
        return list(dict.fromkeys(point["x"] for subject in self.cells[cell]["subjects"] for point in subject["points"]))

    def primitive(self, cell):
        """Its sizes, with ns."""
        return {row["bytes"]: row["ns"] for row in self.micro if row["cell"] == cell}
