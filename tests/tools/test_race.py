"""The arithmetic and the pictures of `./workshop race`. Run: python3 -m unittest discover tests/tools"""
import sys
import unittest
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
sys.dont_write_bytecode = True

from race import figures, model, svg, targets  # noqa: E402


class Figures(unittest.TestCase):
    def test_three_digits_are_shown_and_no_exponent(self):
        shown = [figures.short(x) for x in (0, 0.01234, 1.5, 78.94, 123.4, 45_678, 1e6)]
        self.assertEqual(shown, ["0", "0.0123", "1.50", "78.9", "123", "45,700", "1,000,000"])

    def test_a_ratio_is_taken_within_each_round(self):
        fast, slow = figures.summary([200, 20, 2]), figures.summary([100, 10, 1])
        ratio = figures.paired_ratio(fast, slow)
        self.assertEqual((ratio["median"], ratio["min"], ratio["max"]), (2, 2, 2))

    def test_the_spread_is_half_of_the_range(self):
        self.assertAlmostEqual(figures.spread(figures.summary([90, 100, 110])), 0.1)


class Pictures(unittest.TestCase):
    def test_bars_and_curves_are_well_formed(self):
        bars = svg.bars("a < b", "ns", [svg.Bar("x & y", 2, 1, 3), svg.Bar("z", 0, 0, 0.1)])
        curves = svg.curves("t", "n", "ns", [svg.Line("one", [(1, 5)]),
                                             svg.Line("two", [(1, 1), (1e6, 900)])])
        for text in (bars, curves):
            ElementTree.fromstring(text)

    def test_a_value_at_the_end_of_an_axis_is_at_its_end(self):
        for axis in (svg._axis(1, 1000, True), svg._axis(0, 250, False)):
            self.assertAlmostEqual(axis.place(axis.high), 1)
            self.assertGreaterEqual(axis.ticks[-1], axis.high)


class Model(unittest.TestCase):
    COSTS = model.from_measured(300, 100, {2: 1, 64: 63}, {64: 64 * 63 * 1000})

    def test_costs_come_from_what_was_measured(self):
        self.assertEqual((self.COSTS.handle, self.COSTS.cross, self.COSTS.look), (50, 100, 1))
        self.assertEqual(self.COSTS.lane_bytes, 1000)

    def test_many_messages_hide_the_lanes_and_few_do_not(self):
        self.assertEqual(self.COSTS.per_message(2, 1), 50 + 100 + 1)
        self.assertEqual(self.COSTS.per_message(65, 64), 50 + 100 + 1)
        self.assertLess(self.COSTS.per_message(8, 64), self.COSTS.per_message(65, 64))

    def test_it_says_where_lanes_begin_to_matter(self):
        found = model.begins_to_matter(self.COSTS, 64)
        base = self.COSTS.per_message(2, 64)
        self.assertGreaterEqual(self.COSTS.per_message(found, 64), 2 * base)
        self.assertLess(self.COSTS.per_message(found - 1, 64), 2 * base)


class Targets(unittest.TestCase):
    def test_what_was_not_measured_is_said(self):
        self.assertIn("not measured", "\n".join(targets.report({})))

    def test_cpu_time_decides_when_the_server_was_not_the_limit(self):
        def server(rate, cpu_ns, share):
            one = figures.summary
            return {"rate": one([rate]), "cpu_ns": one([cpu_ns]), "server_share": one([share])}

        for share, expected in ((0.5, 2.0), (1.0, 3.0)):
            known = {"race": {"results": {"http-64": {
                "starling-uring": server(300, 1000, share), "floor-uring": server(100, 2000, share)}}}}
            value, _ = targets.TARGETS[0].measure(known)
            self.assertEqual(value, expected)


if __name__ == "__main__":
    unittest.main()
