"""What a red case said. Run: python3 -m unittest discover tests/tools"""
import contextlib
import io
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from workshop_lib import cases, progress  # noqa: E402
from workshop_lib.cases import Case, Result  # noqa: E402
from workshop_lib.common import ROOT  # noqa: E402
from workshop_lib.output import said  # noqa: E402
from workshop_lib.progress import Step, print_failures  # noqa: E402


class Said(unittest.TestCase):
    def test_parameters_that_said_the_same_are_shown_once(self):
        text = "".join(f"[ RUN      ] On/Ex7.A/{name}\n{words}" for name, words in {
            "deferred": "too late\n", "plain": "too late\n", "epoll": "[       OK ] On/Ex7.A/epoll (1 ms)\n",
            "kqueue": "too early\n"}.items())
        self.assertEqual(said(text, ""), "too late\n(on deferred, plain)\ntoo early\n(on kqueue)")

    def test_what_the_runtime_repeats_is_shown_once(self):
        self.assertEqual(said("starling: lost\nstarling: lost\n", ""), "starling: lost")

    def test_frames_are_the_projects_own_and_short(self):
        text = (f"    #0 0x1f in starling::Future<std::vector<int>>::get() {ROOT}/steps/a.hh:7:1\n"
                "    #1 0x2f in std::move<int>(int) /usr/include/c++/12/bits/move.h:1:1\n"
                f"    #2 0x3f in _ZN8starling7PromiseIiE7satisfyIZE {ROOT}/steps/a.hh:9:1\n")
        self.assertEqual(said(text, ""), "  #0 starling::Future::get() steps/a.hh:7:1\n"
                                         "  #2 starling::Promise::satisfy steps/a.hh:9:1")

    def test_red_cases_come_in_the_order_of_the_exercises(self):
        step = Step("05_timers")
        step.results = [Result(Case("step05", name, (), 1), "failed", text) for name, text in (
            ("Given5.D", "lost"), ("Ex5_4_Sleep.A", "too late"),
            ("Ex5_3_Next.B", "NotImplemented: exercise 5.1, place: not written yet"),
            ("Ex5_2_Cascade.C", "too early"))]
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            print_failures(step)
        text = shown.getvalue()
        places = [text.index(name) for name in ("Ex5_3_Next.B", "Ex5_2_Cascade.C", "Ex5_4_Sleep.A", "Given5.D")]
        self.assertEqual(places, sorted(places))
        self.assertIn("too early", text)
        self.assertNotIn("too late", text, "a later exercise may be red for the same reason")

    def test_what_is_left_to_write_is_named_declarations_too(self):
        with tempfile.TemporaryDirectory() as directory:
            steps = Path(directory)
            (steps / "05_timers").mkdir()
            (steps / "05_timers" / "a.hh").write_text(
                '// BEGIN 5.1: the fields\n// END 5.1\n// BEGIN 5.1: place\nint x = 1;\n// END 5.1\n'
                '// BEGIN 5.1: fire\ntodo("5.1", "Timer::fire");\n// END 5.1\n')
            step = Step("05_timers")
            step.manifest = {"5.1": [["a.hh", "the fields", ""], ["a.hh", "place", "Timer::place"],
                                     ["a.hh", "fire", "Timer::fire"]]}
            with unittest.mock.patch.object(progress, "STEPS", steps):
                places = [place.rpartition("a.hh")[2] for place in progress.places_of(step, "5.1")]
                self.assertEqual(places, [":1  the fields", ":7  Timer::fire"])
                (steps / "05_timers" / "a.hh").write_text("// All of it written.\n")
                places = [place.rpartition("a.hh")[2] for place in progress.places_of(step, "5.1")]
                self.assertEqual(places, ["  the fields", "  Timer::place", "  Timer::fire"])

    def test_cases_behind_two_that_hang_have_less_time(self):
        given = []

        def hang(case, env, timeout):
            given.append(timeout)
            return Result(case, "timeout", "")

        with unittest.mock.patch.object(cases, "run_case", hang), contextlib.redirect_stdout(io.StringIO()):
            cases.run_cases([Case("step05", name, (), 60) for name in "abc"], jobs=1, hangs_max=2)
        self.assertEqual(given, [None, None, cases.SHORT_S])


if __name__ == "__main__":
    unittest.main()
