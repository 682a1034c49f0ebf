"""What a learner gets: blank steps are red by their own sentence, and turn green rung by rung."""
from __future__ import annotations

from ..cases import Given, Result, list_cases, run_cases
from ..common import LAYERS
from .report import Report
from .trees import Trees, build, exercises_of, test_targets

UGLY = ("ERROR: AddressSanitizer", "LeakSanitizer", "runtime error:", "(killed by",
        "the program crashed", "nothing more happened")


def wrong_red(result: Result, step: int) -> str:
    """"" when a blank case is red as it should be, else what is wrong with its red."""
    case = result.case
    if result.ok:
        return "is green on a blank step (tests/given.txt lists those that may be)"
    if result.status == "timeout":
        return "hangs"
    ugly = [sign for sign in UGLY if sign in result.output]
    if ugly:
        return f"is red by a crash or a report ({ugly[0]})"
    stubs = result.stubs
    if not stubs:
        return "is red without naming an exercise"
    if stubs[0][0] != step:
        return f"is red by exercise {stubs[0][0]}.{stubs[0][1]} of another step"
    if case.exercise and stubs[0] > case.exercise:
        return f"is red by a later exercise, {stubs[0][0]}.{stubs[0][1]}"
    return ""


def starters(report: Report, trees: Trees) -> None:
    tree, given = trees.asan(), Given()
    good = build(tree, report, test_targets("step"))
    cases = [c for c in list_cases(tree.directory, "step") if f"test_step_{c.prefix[-2:]}" in good]
    for result in run_cases(cases, tree.jobs):
        name = f"{result.case.prefix}.{result.case.name}"
        if result.case in given:
            report.check(result.ok, f"{name} is listed as given, but is red on a blank step",
                         result.output)
        else:
            wrong = wrong_red(result, result.case.step)
            report.check(not wrong, f"{name} {wrong}", result.output)


def ladder(report: Report, trees: Trees) -> None:
    tree, given = trees.ladder(), Given()
    good = build(tree, report, test_targets("step"))
    cases = list_cases(tree.directory, "step")
    for layer in LAYERS:
        if f"test_step_{layer[:2]}" not in good:
            continue
        own = [c for c in cases if c.step == int(layer[:2])]
        rungs = exercises_of(layer)
        for exercise in sorted({c.exercise for c in own if c.exercise} - set(rungs)):
            report.fail(f"{layer}: cases of {exercise[0]}.{exercise[1]}, an exercise that is in no file")
        for index, rung in enumerate(rungs):
            if not any(c.exercise == rung for c in own):
                report.fail(f"{layer}: exercise {rung[0]}.{rung[1]} has no case")
            _climb(report, tree, own, given, rungs, index)


def _climb(report: Report, tree, cases, given: Given, rungs, index: int) -> None:
    """Exercises up to rungs[index] are solved, the rest is blank."""
    rung = rungs[index]
    after = rungs[index + 1] if index + 1 < len(rungs) else None
    solved = "{}.{}".format(*rung)
    below = [c for c in cases if (c.exercise <= rung if c.exercise else after is None)]
    above = [c for c in cases if after and c.exercise == after and c not in given]
    env = {"STARLING_SOLVED": solved}
    for result in run_cases(below, tree.jobs, env):
        report.check(result.ok, f"{result.case.prefix}.{result.case.name} with {solved} solved",
                     result.output)
    for result in run_cases(above, tree.jobs, env):
        wrong = wrong_red(result, rung[0])
        if not wrong and result.stubs[0] != after:
            wrong = "is red by {}.{}".format(*result.stubs[0])
        report.check(not wrong, f"{result.case.prefix}.{result.case.name} {wrong} "
                     f"with {solved} solved", result.output)
