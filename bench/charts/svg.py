"""svg.py - drawing: a page of SVG that is read in light and in dark, with no script and no font of its own.

Colours are classes, given once for light and once for dark (prefers-color-scheme); the background is the reader's.
"""
from xml.sax.saxutils import escape

STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #57606a }
.title { font-size: 15px; font-weight: 600; fill: #1f2328 }
.head { font-weight: 600; fill: #1f2328 }
.own { fill: #0a6f86; font-weight: 600 }
.figure { fill: #1f2328 }
.bar { fill: #b6bec8 }
.bar-own { fill: #0a8ba6 }
.bar-bare { fill: none; stroke: #8c959f; stroke-dasharray: 3 2 }
.tone-0 { fill: #0a8ba6 } .tone-1 { fill: #b65c12 } .tone-2 { fill: #8c959f } .tone-3 { fill: #7a5bb5 } .tone-4 { fill: #4f8a3c }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
.stroke-0 { stroke: #0a8ba6 } .stroke-1 { stroke: #b65c12 } .stroke-2 { stroke: #8c959f; stroke-dasharray: 5 3 }
.stroke-3 { stroke: #7a5bb5 } .stroke-4 { stroke: #4f8a3c }
.label-0 { fill: #0a6f86 } .label-1 { fill: #9a4a08 } .label-2 { fill: #57606a } .label-3 { fill: #654aa0 } .label-4 { fill: #3c6e2d }
.grid { stroke: #d0d7de; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 }
.title, .head, .figure { fill: #f0f6fc }
.own { fill: #4fc3dc }
.bar { fill: #4a525c }
.bar-own { fill: #28a5c1 }
.bar-bare { stroke: #6e7681 }
.tone-0 { fill: #28a5c1 } .tone-1 { fill: #e08a3c } .tone-2 { fill: #6e7681 } .tone-3 { fill: #a48ae0 } .tone-4 { fill: #7cb668 }
.stroke-0 { stroke: #28a5c1 } .stroke-1 { stroke: #e08a3c } .stroke-2 { stroke: #6e7681 } .stroke-3 { stroke: #a48ae0 }
.stroke-4 { stroke: #7cb668 }
.label-0 { fill: #4fc3dc } .label-1 { fill: #f0a35e } .label-2 { fill: #9198a1 } .label-3 { fill: #bda8ee } .label-4 { fill: #97cc84 }
.grid { stroke: #30363d }
}
"""


def at(value):
    """A coordinate, as short as it can be."""
    return f"{value:.1f}".removesuffix(".0")


class Page:
    def __init__(self, width, title, description):
        self.width, self.title, self.description = width, title, description
        self.height, self.parts = 0, []

    def text(self, x, y, words, kind="", anchor="start"):
        attributes = f' class="{kind}"' if kind else ""
        if anchor != "start":
            attributes += f' text-anchor="{anchor}"'
        self.parts.append(f'<text x="{at(x)}" y="{at(y)}"{attributes}>{escape(words)}</text>')
        self.height = max(self.height, y + 8)

    def box(self, x, y, width, height, kind):
        self.parts.append(f'<rect x="{at(x)}" y="{at(y)}" width="{at(max(width, 1))}" height="{at(height)}" class="{kind}" rx="1.5"/>')
        self.height = max(self.height, y + height + 8)

    def rule(self, x1, y1, x2, y2):
        self.parts.append(f'<path d="M{at(x1)} {at(y1)}L{at(x2)} {at(y2)}" class="grid"/>')
        self.height = max(self.height, y1 + 8, y2 + 8)

    def line(self, points, tone):
        path = "L".join(f"{at(x)} {at(y)}" for x, y in points)
        self.parts.append(f'<path d="M{path}" class="line stroke-{tone}"/>')

    def dot(self, x, y, tone):
        self.parts.append(f'<circle cx="{at(x)}" cy="{at(y)}" r="3" class="tone-{tone}"/>')

    def whole(self):
        head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {at(self.height)}" width="{self.width}" height="{at(self.height)}" '
                f'role="img" aria-labelledby="title description">\n<title id="title">{escape(self.title)}</title>\n'
                f'<desc id="description">{escape(self.description)}</desc>\n<style>{STYLE}</style>\n')
        return head + "\n".join(self.parts) + "\n</svg>\n"


# ---- Bars

ROW, BAR, LONGEST = 19, 12, 5


def bars(page, x, y, width, head, rows):
    """A panel of horizontal bars from one scale of its own. Each row: name, value, its label, "own", "bare" or "". What is more than
    LONGEST times our own is cut, and shown so. The height that it took."""
    page.text(x, y, head, "head")
    names = max(len(name) for name, *_ in rows) * 6.9 + 8
    room = width - names - 62
    most = max(value for _, value, *_ in rows)
    most = min([most] + [LONGEST * value for _, value, _, kind in rows if kind == "own"])
    for number, (name, value, label, kind) in enumerate(rows):
        top = y + 10 + number * ROW
        size = min(value / most, 1) * room
        page.text(x + names - 8, top + BAR - 2, name, "own" if kind == "own" else "", "end")
        bar(page, x + names, top, size, f"bar-{kind}" if kind else "bar", value > most)
        page.text(x + names + size + 6, top + BAR - 2, label, "own" if kind == "own" else "figure")
    return 10 + len(rows) * ROW


def bar(page, x, y, size, kind, cut):
    if not cut:
        page.box(x, y, size, BAR, kind)
        return
    page.box(x, y, size - 16, BAR, kind)
    page.box(x + size - 13, y, 4, BAR, kind)
    page.box(x + size - 6, y, 6, BAR, kind)


def stack(page, x, y, width, parts):
    """One bar made of parts (name, value, label), with what they are above and below it in turns."""
    whole = sum(value for _, value, _ in parts)
    left = x
    for number, (name, value, label) in enumerate(parts):
        size = value / whole * width
        page.box(left, y, size - 1, 26, f"tone-{number % 5}")
        near = left + 8 * len(name) > x + width
        place, anchor = (left + size - 1, "end") if near else (left, "start")
        page.text(place, y + (-24 if number % 2 == 0 else 43), label, "figure", anchor)
        page.text(place, y + (-9 if number % 2 == 0 else 58), name, f"label-{number % 5}", anchor)
        left += size


# ---- Lines

class Plot:
    """An area with two axes; `across` and `up` place a value in it, 0 to 1."""

    def __init__(self, page, box, across, up):
        self.page, (self.x, self.y, self.width, self.height) = page, box
        self.across, self.up = across, up

    def place(self, x, y):
        return self.x + self.across(x) * self.width, self.y + self.height - self.up(y) * self.height

    def grid(self, ups, acrosses):
        """Lines and labels: (value, label)."""
        for value, label in ups:
            y = self.place(acrosses[0][0], value)[1]
            self.page.rule(self.x, y, self.x + self.width, y)
            self.page.text(self.x - 7, y + 4, label, "", "end")
        right = None  # from there on there is a label already; the last one is there in any case
        for value, label in reversed(acrosses):
            x = self.place(value, ups[0][0])[0]
            if right is None or x + 4 * len(label) < right:
                self.page.text(x, self.y + self.height + 18, label, "", "middle")
                right = x - 4 * len(label)

    def series(self, points, tone):
        placed = [self.place(x, y) for x, y in points]
        self.page.line(placed, tone)
        for x, y in placed:
            self.page.dot(x, y, tone)

    def labels(self, ends):
        """Names behind the last points, kept apart: (name, x, y, tone)."""
        last = None
        for name, x, y, tone in sorted(ends, key=lambda end: -end[2]):
            left, top = self.place(x, y)
            top = top + 4 if last is None else max(top + 4, last + 15)
            self.page.text(left + 9, top, name, f"label-{tone}" if tone else "own")
            last = top
