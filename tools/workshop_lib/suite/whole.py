"""The ten layers together: stacked from steps/, on second implementations, and installed."""
from __future__ import annotations

import shutil

from ..builds import first_errors
from ..common import ROOT, SOLUTIONS, TESTS, WorkshopError, present_layers, run
from ..demo import Server
from .reference import run_built
from .report import Report
from .trees import TOP, Trees, build

STANDING_ON_OTHERS = {"04", "05", "06", "07", "08", "09", "10"}


def stack(report: Report, trees: Trees) -> None:
    """STARLING_BASE=steps, with the solutions copied in: ten steps stack and serve HTTP."""
    tree = trees.stack()
    run_built(report, tree, "step")
    if (SOLUTIONS / "10_http_echo" / "http_echo.cc").exists():
        if build(tree, report, {"step_http_echo": "http_echo on the stacked steps"}):
            _serves(report, tree.directory / "step_http_echo")


def _serves(report: Report, program) -> None:
    try:
        with Server(program, shards=2) as server:
            status, body = server.request("GET", "/health")
            report.check(status == 200, "GET /health on the stacked steps", f"{status} {body!r}")
            status, body = server.request("POST", "/echo", b"ten layers")
            report.check((status, body) == (200, b"ten layers"), "POST /echo on the stacked steps",
                         f"{status} {body!r}")
        report.check(server.status == 0, "the stacked http_echo ends cleanly", server.output)
    except (OSError, WorkshopError) as error:
        report.fail("the stacked http_echo serves", str(error))


def second(report: Report, trees: Trees) -> None:
    """Layers 04 to 10 on the second implementations of 01, 03, 04 and 07 (tests/alt)."""
    if (TESTS / "alt").is_dir():
        run_built(report, trees.alternative(), "solution", STANDING_ON_OTHERS)


def install(report: Report, trees: Trees) -> None:
    """Another project finds and uses the installed library."""
    tree = trees.release()
    if not build(tree, report, {"all": "the release build"}):
        return
    prefix, consumer = TOP / "installed", TOP / "consumer"
    for directory in (prefix, consumer):
        shutil.rmtree(directory, ignore_errors=True)
    done = run(["cmake", "--install", tree.directory, "--prefix", prefix], quiet=True)
    if not report.check(done.returncode == 0, "cmake --install", done.stdout):
        return
    headers = [p.name for layer in present_layers()
               for p in (SOLUTIONS / layer / "include" / "starling").glob("*.hh")]
    there = {p.name for p in (prefix / "include" / "starling").glob("*.hh")}
    report.check(there == set(headers), "the installed headers",
                 f"missing or extra: {sorted(there ^ set(headers))}")
    compiler = _compiler_of(tree.directory)
    done = run(["cmake", "-S", TESTS / "install", "-B", consumer, "-G", "Ninja",
                f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_COMPILER={compiler}"], quiet=True)
    if not report.check(done.returncode == 0, "find_package(starling)", done.stdout):
        return
    done = run(["ninja", "-C", consumer, "-j", str(trees.jobs)], quiet=True)
    if not report.check(done.returncode == 0, "a project on the installed library builds",
                        first_errors(done.stdout)):
        return
    done = run([consumer / "consumer"], quiet=True, timeout=60)
    report.check(done.returncode == 0, "a project on the installed library runs", done.stdout)


def _compiler_of(directory) -> str:
    for line in (directory / "CMakeCache.txt").read_text().splitlines():
        if line.startswith("CMAKE_CXX_COMPILER:"):
            return line.split("=", 1)[1]
    raise WorkshopError(f"{directory} names no compiler")
