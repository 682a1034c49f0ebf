#!/usr/bin/env python3
"""http_echo against real clients on loopback, over both drivers, with one shard and with two.

    python3 tests/clients/run.py --http-echo build-release/http_echo

prints `ok NAME`, `FAILED NAME: why` or `skipped NAME: why` for every check and ends with
`N passed, N failed`. Standard library only; curl and wrk are used where they are installed.
"""
from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parent))

import everyday  # noqa: E402
import heavy  # noqa: E402
import life  # noqa: E402
import refused  # noqa: E402
from server import Server, end_all, why_no_io_uring  # noqa: E402
from tally import Failure, Tally, check  # noqa: E402

RUN_SECONDS_MAX = 360


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--http-echo", required=True, metavar="PATH")
    parser.add_argument("--sanitized", action="store_true", help="PATH is built with ASan: "
                        "memory limits are wider, and stderr must stay empty all the same")
    parser.add_argument("--driver", choices=("io_uring", "epoll"), help="only this one")
    parser.add_argument("--shards", type=int, help="only with so many")
    parser.add_argument("--only", metavar="TEXT", default="", help="checks whose name has TEXT")
    parser.add_argument("--timed", action="store_true", help="print how long each check took")
    options = parser.parse_args()
    if not os.access(options.http_echo, os.X_OK):
        parser.error(f"{options.http_echo} is no program")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # The servers inherit it.
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    watchdog = threading.Timer(RUN_SECONDS_MAX, give_up)
    watchdog.daemon = True
    watchdog.start()
    tally = Tally(options.timed)
    try:
        run_all(tally, options)
    finally:
        end_all()
    return tally.finish()


def give_up() -> None:
    end_all()
    print(f"FAILED the run: it took more than {RUN_SECONDS_MAX} s", flush=True)
    os._exit(1)


def run_all(tally: Tally, options: argparse.Namespace) -> None:
    program, sanitized = os.path.abspath(options.http_echo), options.sanitized
    chosen = lambda functions: [f for f in functions if options.only in name_of(f)]  # noqa: E731
    for function in chosen(life.ONCE):
        tally.run(name_of(function), function, program, sanitized)
    for driver in (options.driver,) if options.driver else ("io_uring", "epoll"):
        why = why_no_io_uring() if driver == "io_uring" else ""
        if why:
            tally.skip("everything over io_uring", why)
            continue
        for shards in (options.shards,) if options.shards else (1, 2):
            where = f"{driver}, {shards} shard{'s'[:shards - 1]}: "
            for group, extra in ((everyday.CHECKS + heavy.CHECKS, ()),
                                 (refused.CHECKS, refused.STRICT)):
                with_one_server(tally, where, chosen(group),
                                Server(program, driver, shards, *extra, sanitized=sanitized))
            for function in chosen(life.CHECKS):
                tally.run(where + name_of(function), function, program, driver, shards, sanitized)


def with_one_server(tally: Tally, where: str, checks: list[Callable], server: Server) -> None:
    """All of `checks` on one server, which must then be as it was, and end cleanly."""
    if not checks:
        return
    try:
        with server:
            fds = server.fds()
            for function in checks:
                tally.run(where + name_of(function), function, server)
                if server.process.poll() is not None:
                    tally.fail(where + "the server lives on", f"after {name_of(function)}: "
                               f"status {server.process.returncode}, {server.errors()}")
                    return
            tally.run(where + "no descriptor is left over", no_descriptor_left, server, fds)
            tally.run(where + "a clean end on SIGTERM", server.stop)
    except Failure as failure:
        tally.fail(where + "the server", str(failure))


def no_descriptor_left(server: Server, before: int) -> None:
    left = server.wait_for_fds(before)
    check(left <= before, f"{left} descriptors are open, and {before} were at the start")


def name_of(function: Callable) -> str:
    return function.__name__.replace("_", " ")


if __name__ == "__main__":
    sys.exit(main())
