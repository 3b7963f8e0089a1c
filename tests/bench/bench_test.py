"""bench_test.py - the benchmarks, run quickly: bench_test.py BENCH BUILD."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BENCH, BUILD = sys.argv[1:3]
sys.path.insert(0, BENCH)
from harness import cells, measure, record, report  # noqa: E402 (after the line above)


def run(*arguments, **environment):
    """What it said, what it wrote, and its status."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/results.json"
        command = [f"{BENCH}/run", BUILD, "--quick", "--json", path, *arguments]
        done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, timeout=150)
        with open(path) as f:
            return done.stdout, json.load(f), done.returncode


class Whole(unittest.TestCase):
    """Some cells, with what is always there."""

    @classmethod
    def setUpClass(cls):
        subjects = "swale,bare-epoll,bare-io_uring,nobody,liar"
        environment = {"PEER_NOBODY": "/nonexistent/echo {port}", "PEER_LIAR": f"{BUILD}/bench/bare_echo {{port}} 26 22 echo"}
        names = ["echo-20", "fanout-1000", "idle", "deflate-1k-shared", "latency", "generator-20"]
        cls.text, cls.results, cls.status = run(*names, "--only", subjects, **environment)
        cls.cells = {cell["name"]: cell for cell in cls.results["cells"]}

    def figures(self, cell, subject):
        found = [entry["points"] for entry in self.cells[cell]["subjects"] if entry["name"] == subject]
        self.assertEqual([len(points) for points in found], [1], self.cells[cell]["skipped"])
        return found[0][0]

    def test_head(self):
        self.assertEqual(self.results["format"], 2)
        settings = dict(self.results["settings"])
        self.assertIn(settings.pop("load"), ("io_uring", "epoll"))
        self.assertEqual(settings, {"quick": True})
        for cell in self.cells.values():
            measured = cell["measured"]
            self.assertEqual((measured["rounds"], measured["seconds"]), (2, 0.3))
            self.assertEqual(measured["revision"], self.results["swale"]["revision"])
        self.assertGreater(self.results["machine"]["cores"], 0)
        self.assertTrue(self.results["swale"]["version"])
        self.assertIn("serve", self.results["subjects"]["swale"])

    def test_cells_come_in_the_order_that_was_asked_for(self):
        self.assertEqual(list(self.cells), ["echo-20", "fanout-1000", "idle", "deflate-1k-shared", "latency", "generator-20"])

    def test_rates(self):
        for cell, unit in ("echo-20", "messages"), ("fanout-1000", "deliveries"), ("deflate-1k-shared", "messages"):
            point = self.figures(cell, "swale")
            self.assertEqual(self.cells[cell]["unit"], unit)
            self.assertEqual(self.cells[cell]["base"], "swale")
            for name in "rate", "server_cpu_us", "load_cpu_us", "wire_in":
                figure = point["figures"][name]
                self.assertEqual(len(figure["runs"]), 2)
                self.assertLess(0, figure["min"])
                self.assertLessEqual(figure["min"], figure["median"])
                self.assertLessEqual(figure["median"], figure["max"])
            self.assertIn(point["limit"], ("server", "load"))
            self.assertNotIn("ratios", point)

    def test_bytes_on_the_wire(self):
        self.assertAlmostEqual(self.figures("echo-20", "swale")["figures"]["wire_in"]["median"], 22, delta=1)
        self.assertLess(self.figures("deflate-1k-shared", "swale")["figures"]["wire_in"]["median"], 600)

    def test_ratios(self):
        point = self.figures("echo-20", "bare-epoll")
        base = self.figures("echo-20", "swale")
        rates = [a / b for a, b in zip(base["figures"]["rate"]["runs"], point["figures"]["rate"]["runs"])]
        costs = [b / a for a, b in zip(base["figures"]["server_cpu_us"]["runs"], point["figures"]["server_cpu_us"]["runs"])]
        self.assertAlmostEqual(point["ratios"]["rate"]["min"], min(rates))
        self.assertAlmostEqual(point["ratios"]["server_cpu_us"]["max"], max(costs))

    def test_memory(self):
        size = self.figures("idle", "swale")["figures"]["bytes"]["median"]
        self.assertTrue(0 < size < 100_000, size)

    def test_latency(self):
        points = next(entry["points"] for entry in self.cells["latency"]["subjects"] if entry["name"] == "swale")
        self.assertEqual([point["x"] for point in points], [50, 80])
        for point in points:
            figures = [point["figures"][f"{name}_us"]["median"] for name in ("p50", "p90", "p99", "p99.9", "p99.99", "max")]
            self.assertLess(0, figures[0])
            self.assertEqual(figures, sorted(figures))
            self.assertLessEqual(0, point["figures"]["late_p99_us"]["median"])

    def test_generator(self):
        figures = self.figures("generator-20", "swale")["figures"]
        for name in "rate", "server_cpu_us", "load_cpu_us":
            self.assertLess(0, figures[name]["min"])
        self.assertEqual([entry["name"] for entry in self.cells["generator-20"]["subjects"]], ["swale"])

    def test_who_is_not_there_is_named(self):
        self.assertEqual(self.results["missing"]["nobody"], "there is no /nonexistent/echo")
        self.assertIn("nobody: there is no /nonexistent/echo", self.text)
        self.assertIn("bare-epoll", self.cells["idle"]["skipped"])
        uring = "bare-io_uring"
        self.assertTrue(uring in self.results["missing"] or uring in self.results["subjects"])

    def test_who_answers_wrongly_is_not_measured(self):
        self.assertRegex(self.cells["echo-20"]["skipped"]["liar"], "^failed: load: ")
        self.assertEqual(self.status, 1)


class Recorded(unittest.TestCase):
    """Some cells, into a directory of results."""

    def test_a_part_is_renewed_and_the_rest_stays(self):
        with tempfile.TemporaryDirectory() as directory:
            command = [f"{BENCH}/run", BUILD, "--quick", "--rounds", "1", "--seconds", "0.1", "--record", directory]

            def run(*names):
                subprocess.run([*command, *names], stdout=subprocess.DEVNULL, check=True, timeout=150)
                return {name: json.loads(pathlib.Path(directory, name).read_text()) for name in os.listdir(directory)}

            before = run("echo-16k-cjk", "backends:echo-20")
            self.assertEqual(sorted(before), sorted(["cells.json", "backends.json"]))
            backends = before["backends.json"]["cells"][0]["subjects"]
            self.assertTrue({entry["name"] for entry in backends} <= {"swale-io_uring", "swale-epoll"}, backends)
            after = run("echo-16k-ascii")
            self.assertEqual([cell["name"] for cell in after["cells.json"]["cells"]], ["echo-16k-ascii", "echo-16k-cjk"])
            self.assertEqual(after["cells.json"]["cells"][1], before["cells.json"]["cells"][0])
            self.assertEqual(after["backends.json"], before["backends.json"])

    def test_all_that_there_is_to_measure_is_planned_once(self):
        labels = [part.label(cell) for part, cell in record.planned([])]
        self.assertEqual(len(labels), len(set(labels)))
        self.assertEqual({cell.name for cell in cells.CELLS} - set(labels), {"micro"})
        self.assertEqual([part.label(cell) for part, cell in record.planned(["echo-20", "backends:tls-20"])], ["echo-20", "backends:tls-20"])


class Parts(unittest.TestCase):
    def test_a_ratio_over_one_is_good_for_the_base(self):
        self.assertEqual(measure.ratio("rate", 200, 100), 2)
        self.assertEqual(measure.ratio("server_cpu_us", 100, 200), 2)

    def test_ratios_are_of_what_both_have(self):
        base = [{"rate": 200, "bytes": 0}, {"rate": 300, "bytes": 10}]
        other = [{"rate": 100, "bytes": 10, "wire_in": 3, "load_busy": 1}, {"rate": 100, "bytes": 20, "wire_in": 3, "load_busy": 1}]
        self.assertEqual(measure.ratios(base, other), {"rate": {"median": 2.5, "min": 2, "max": 3}})

    def test_the_limit_is_the_side_with_more_to_do(self):
        def limit(server, load, threads=1):
            return measure.limit({"server_cpu_us": {"median": server}, "load_cpu_us": {"median": load}}, threads)

        self.assertEqual(limit(6, 5), "server")
        self.assertEqual(limit(6, 5.9), "load")
        self.assertEqual(limit(6, 5, 2), "load")

    def test_patterns_choose_cells(self):
        self.assertEqual([cell.name for cell in cells.choose(["tls-*", "echo-20", "tls-20"])], ["tls-20", "tls-16k", "echo-20"])
        self.assertRaises(SystemExit, cells.choose, ["nothing"])

    def test_every_cell_has_a_way_and_a_name_of_its_own(self):
        self.assertEqual({cell.way for cell in cells.CELLS} - {"micro"}, set(measure.WAYS))
        self.assertEqual(len({cell.name for cell in cells.CELLS}), len(cells.CELLS))

    def test_numbers(self):
        self.assertEqual([report.number(value) for value in (0.1234, 12.3456, 1234.5, 1e6)], ["0.123", "12.35", "1 234", "1 000 000"])


unittest.main(argv=sys.argv[:1])
