"""The generator and the commands that edit steps/. Run: python3 -m unittest discover tests/tools"""
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from workshop_lib import generate, route  # noqa: E402
from workshop_lib.common import WorkshopError, layer_of  # noqa: E402
from workshop_lib.regions import RegionError, read_source  # noqa: E402

WHEEL = """\
// The wheel.
#include <vector>

int cascade(int slot) {
    // BEGIN 5.2: cascade one level
    //| Move every timer down.
    //|
    //| In order.
    //= todo("5.2", "cascade");
    return slot + 1;
    // END 5.2
}
"""


class Sandbox(unittest.TestCase):
    """A solutions/ and a steps/ with one file in one layer."""

    def setUp(self):
        top = tempfile.TemporaryDirectory()
        self.addCleanup(top.cleanup)
        self.solutions, self.steps = Path(top.name) / "solutions", Path(top.name) / "steps"
        self.write_solution(WHEEL)
        for module in (generate, route):
            for name, value in (("SOLUTIONS", self.solutions), ("STEPS", self.steps)):
                patch = mock.patch.object(module, name, value)
                patch.start()
                self.addCleanup(patch.stop)
        quiet = mock.patch.object(route, "say")
        quiet.start()
        self.addCleanup(quiet.stop)

    def write_solution(self, text):
        path = self.solutions / "05_timers" / "src" / "wheel.cc"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    @property
    def step(self):
        return self.steps / "05_timers" / "src" / "wheel.cc"

    def generate(self, **options):
        return generate.write_steps(generate.make_all(solutions=self.solutions), self.steps, **options)


class Regions(Sandbox):
    def render(self, mode):
        return read_source(self.solutions / "05_timers" / "src" / "wheel.cc").render(mode)

    def test_a_step_has_the_task_and_the_stub_and_not_the_answer(self):
        self.assertIn("    // Move every timer down.\n    //\n    // In order.\n"
                      '    todo("5.2", "cascade");\n    // END 5.2', self.render("step"))
        self.assertNotIn("slot + 1", self.render("step"))

    def test_a_step_includes_todo_behind_the_last_include(self):
        self.assertIn("#include <vector>\n#include <starling/todo.hh>\n", self.render("step"))

    def test_the_ladder_has_both(self):
        self.assertIn('    if (todo_blank("5.2")) {\n    todo("5.2", "cascade");\n    }\n'
                      "    return slot + 1;", self.render("ladder"))

    def test_a_solved_step_is_plain_code(self):
        self.assertNotIn("todo", self.render("solved"))
        self.assertIn("return slot + 1;", self.render("solved"))

    def assert_refused(self, text, line, words):
        self.write_solution(text)
        with self.assertRaises(RegionError) as caught:
            self.render("step")
        self.assertIn(f"wheel.cc:{line}: ", str(caught.exception))
        self.assertIn(words, str(caught.exception))

    def test_a_region_without_end_is_refused(self):
        self.assert_refused(WHEEL.replace("    // END 5.2\n", ""), 5, "has no END")

    def test_an_end_of_another_region_is_refused(self):
        self.assert_refused(WHEEL.replace("END 5.2", "END 5.3"), 11, "without its BEGIN")

    def test_a_stub_of_another_exercise_is_refused(self):
        self.assert_refused(WHEEL.replace('todo("5.2"', 'todo("5.3"'), 5, "names exercise 5.3")

    def test_an_exercise_of_another_step_is_refused(self):
        self.assert_refused(WHEEL.replace("5.2", "6.2"), 5, "not of this step")

    def test_a_region_without_task_and_stub_is_refused(self):
        text = "".join(x for x in WHEEL.splitlines(True) if "//|" not in x and "//=" not in x)
        self.assert_refused(text, 5, "neither a task")

    def test_a_marker_outside_of_a_region_is_refused(self):
        self.assert_refused("//| Stray.\n" + WHEEL, 1, "outside of a region")


class Overwriting(Sandbox):
    def test_generating_twice_changes_nothing(self):
        self.assertGreater(self.generate(), 0)
        self.assertEqual(self.generate(), 0)

    def test_an_untouched_step_follows_its_solution(self):
        self.generate()
        self.write_solution(WHEEL.replace("In order.", "In any order."))
        self.generate()
        self.assertIn("In any order.", self.step.read_text())

    def test_an_edited_file_is_never_overwritten(self):
        self.generate()
        self.step.write_text("mine\n")
        self.write_solution(WHEEL.replace("In order.", "In any order."))
        with self.assertRaises(WorkshopError) as caught:
            self.generate()
        self.assertIn("was edited by hand", str(caught.exception))
        self.assertEqual(self.step.read_text(), "mine\n")

    def test_an_edited_file_is_judged_only_by_maintainers(self):
        self.generate()
        self.step.write_text("mine\n")
        made = generate.make_all(solutions=self.solutions)
        problems, learners = generate.stale_files(made, self.steps, strict=False)
        self.assertEqual((problems, learners), ([], [self.step]))
        problems, _ = generate.stale_files(made, self.steps, strict=True)
        self.assertEqual(len(problems), 1)

    def test_a_forgotten_generate_is_noticed(self):
        self.generate()
        self.write_solution(WHEEL.replace("In order.", "In any order."))
        made = generate.make_all(solutions=self.solutions)
        problems, _ = generate.stale_files(made, self.steps, strict=False)
        self.assertIn("older than its solution", problems[0])

    def test_a_changed_answer_changes_no_step(self):
        self.generate()
        self.write_solution(WHEEL.replace("slot + 1", "1 + slot"))
        self.assertEqual(self.generate(), 0)


class Solving(Sandbox):
    def test_a_blank_exercise_gets_the_answer(self):
        self.generate()
        route.solve_command(["5.2"])
        self.assertIn("return slot + 1;", self.step.read_text())
        self.assertNotIn('todo("', self.step.read_text())

    def test_written_code_is_left_alone(self):
        self.generate()
        mine = self.step.read_text().replace('todo("5.2", "cascade");', "return 7;")
        self.step.write_text(mine)
        with self.assertRaises(WorkshopError):
            route.solve_command(["5.2"])
        self.assertEqual(self.step.read_text(), mine)

    def test_an_exercise_that_does_not_exist_is_named(self):
        self.generate()
        with self.assertRaises(WorkshopError) as caught:
            route.solve_command(["5.9"])
        self.assertIn("5.9", str(caught.exception))
        self.assertIn("5.2", caught.exception.remedy)


class Names(unittest.TestCase):
    def test_a_step_has_many_spellings(self):
        for word in ("5", "05", "step05", "05_timers", "5.2"):
            self.assertEqual(layer_of(word), "05_timers")

    def test_a_step_that_does_not_exist_is_refused(self):
        for word in ("11", "0", "timers"):
            with self.assertRaises(WorkshopError):
                layer_of(word)


if __name__ == "__main__":
    unittest.main()
