"""docs/performance.md and its charts are what docs/make-performance makes of bench/results, and that notices when they are not."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

PROJECT = pathlib.Path(os.environ["PROJECT"])
SVG = "{http://www.w3.org/2000/svg}"


def check(root):
    return subprocess.run([sys.executable, root / "docs/make-performance", "--check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_in_step():
    done = check(PROJECT)
    assert done.returncode == 0, done.stdout


def copy(to):
    for directory in ("bench/charts", "bench/results", "docs/charts"):
        shutil.copytree(PROJECT / directory, to / directory)
    for file in ("docs/make-performance", "docs/performance.md"):
        shutil.copy(PROJECT / file, to / file)


def test_notices_other_figures(work):
    """In a table and in a chart."""
    copy(work)
    assert check(work).returncode == 0
    path = work / "bench/results/micro.json"
    measured = json.loads(path.read_text(encoding="utf-8"))
    for row in measured["primitives"]:
        row["ns"] *= 2
    path.write_text(json.dumps(measured), encoding="utf-8")
    done = check(work)
    assert done.returncode != 0 and "performance.md" in done.stdout and "primitives.svg" in done.stdout, done.stdout
    subprocess.run([sys.executable, work / "docs/make-performance"], check=True)
    assert check(work).returncode == 0


def test_charts():
    """Each is SVG that tells what it is, with nothing that runs or is loaded, and is shown."""
    page = (PROJECT / "docs/performance.md").read_text(encoding="utf-8")
    charts = sorted((PROJECT / "docs/charts").glob("*.svg"))
    assert charts
    for chart in charts:
        text = chart.read_text(encoding="utf-8")
        root = xml.etree.ElementTree.fromstring(text)
        assert root.tag == f"{SVG}svg" and root.find(f"{SVG}title").text and root.find(f"{SVG}desc").text, chart
        assert not re.search(r"<script|<image|url\(|\bnan\b|\binf\b|None", text), chart
        assert f"(charts/{chart.name})" in page, f"{chart.name} is not in the page"


def test_no_empty_cell():
    page = (PROJECT / "docs/performance.md").read_text(encoding="utf-8")
    tables = re.findall(r"<!-- docs/make-performance: ([a-z-]+) -->\n(.*?)<!-- end -->", page, re.S)
    assert tables
    for name, text in tables:
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert len(lines) > 2 or name == "machine", f"{name} has no rows"
        for line in lines[2:]:
            assert all(cell.strip() for cell in line.strip("|").split("|")), f"{name}: {line}"


def main():
    test_in_step()
    test_charts()
    test_no_empty_cell()
    with tempfile.TemporaryDirectory() as work:
        test_notices_other_figures(pathlib.Path(work))


main()
