"""The table of subcommands. Each takes the arguments behind its name and returns the exit status."""
from __future__ import annotations

import os
import signal
import sys
from typing import Callable

from . import builds, demo, generate, hint, packages, progress, route
from .common import WorkshopError, layer_of


def _test(arguments: list[str]) -> int:
    from .suite import runner  # Only this command pays for loading the suite.
    return runner.main(arguments)


def _race(arguments: list[str]) -> int:
    from race import command  # Beside this package, in tools/race.
    return command.main(arguments)


def _configure(arguments: list[str]) -> int:
    packages.ensure("--yes" in arguments)
    presets = [a for a in arguments if not a.startswith("-")]
    return builds.configure_command(presets[0] if presets else "workshop")


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "test": _test,
    "demo": demo.demo_command,
    "bench": demo.bench_command,
    "race": _race,
    "hint": hint.hint_command,
    "solve": route.solve_command,
    "route": route.route_command,
    "generate": generate.main,
    "configure": _configure,
}


def main(arguments: list[str], usage: str) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if any(a in ("-h", "--help", "help") for a in arguments[:1]):
            print(usage.strip(), flush=True)
            return 0
        return _dispatch(arguments)
    except WorkshopError as error:
        print(f"workshop: {error}", file=sys.stderr)
        if error.remedy:
            print(f"Remedy: {error.remedy}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nworkshop: stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `./workshop | head`: what is left unsaid is nobody's loss.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _dispatch(arguments: list[str]) -> int:
    yes = "--yes" in arguments
    words = [a for a in arguments if a != "--yes"]
    if not words:
        return progress.main(yes)
    if words[0] in COMMANDS:
        return COMMANDS[words[0]](words[1:] + (["--yes"] if yes and words[0] in ("test", "configure") else []))
    if words[0].removeprefix("step")[:1].isdigit():
        return progress.check_one(layer_of(words[0]), yes)
    raise WorkshopError(f'there is no command "{words[0]}"', "./workshop --help lists them all")
