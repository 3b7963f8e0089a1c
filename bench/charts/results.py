"""results.py - the figures of bench/results, which bench/run --record writes (bench/harness/record.py)."""
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


class Cells:
    """Those of one file, by name."""

    def __init__(self, document):
        self.machine = document.get("machine")
        self.cells = {cell["name"]: cell for cell in document.get("cells", ())}

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



class Results(Cells):
    """Those of all that took part, and `backends`: of Swale with each backend. What was not measured is empty."""

    def __init__(self, directory):
        def read(name):
            path = pathlib.Path(directory) / f"{name}.json"
            return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

        super().__init__(read("cells"))
        self.backends = Cells(read("backends"))
        self.scale, self.micro, self.profile = read("scale"), read("micro"), read("profile")

    def primitive(self, cell):
        """Its sizes, with ns."""
        return {row["bytes"]: row["ns"] for row in self.micro.get("primitives", ()) if row["cell"] == cell}
