"""Configures and builds trees with CMake."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from .common import BUILD, BUILD_RELEASE, ROOT, WorkshopError, processors, relative, run, say


@dataclass
class Tree:
    """One build directory."""
    directory: Path
    preset: str = ""
    flags: dict[str, str] = field(default_factory=dict)
    jobs: int = 0

    def configure(self, quiet: bool = True) -> None:
        """Configures if that was not done yet; Ninja redoes it when a CMake file changes."""
        self.refuse_foreign()
        options = [f"-D{name}={value}" for name, value in self.flags.items()]
        stamp = self.directory / ".workshop-flags"
        text = "\n".join([self.preset, *options])
        if (self.directory / "build.ninja").exists() and stamp.exists() and stamp.read_text() == text:
            return
        command = ["cmake", "-S", ROOT]
        if self.preset:
            command += ["--preset", self.preset]
        else:
            command += ["-G", "Ninja", "-B", self.directory]
        done = run([*command, *options, "--no-warn-unused-cli"], quiet=quiet)
        if done.returncode != 0:
            raise WorkshopError(f"CMake could not configure {relative(self.directory)}:\n"
                                + _cmake_errors(done.stdout or ""))
        self.directory.mkdir(parents=True, exist_ok=True)
        stamp.write_text(text)

    def refuse_foreign(self) -> None:
        """A build directory of another place or machine gives confusing errors; say so first."""
        cache = self.directory / "CMakeCache.txt"
        if not cache.exists():
            return
        text = cache.read_text(errors="replace")
        home = re.search(r"^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$", text, re.M)
        compiler = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", text, re.M)
        why = ""
        if home and Path(home[1]).resolve() != ROOT:
            why = f"was made for {home[1]}"
        elif compiler and compiler[1].startswith("/") and not Path(compiler[1]).exists():
            why = f"was made with {compiler[1]}, which is not on this machine"
        if why:
            raise WorkshopError(f"the build directory {relative(self.directory)} {why}",
                                f"rm -rf {relative(self.directory)}, then try again")

    def build(self, *targets: str, keep_going: bool = False):
        """Returns the finished process, output kept."""
        command = ["ninja", "-C", self.directory, "-j", str(self.jobs or processors())]
        if keep_going:
            command += ["-k", "0"]
        return run([*command, *targets], quiet=True)

    def must_build(self, *targets: str) -> None:
        done = self.build(*targets)
        if done.returncode != 0:
            raise WorkshopError(f"{relative(self.directory)} does not build:\n"
                                + first_errors(done.stdout))

    def targets(self) -> set[str]:
        """All names that can be built. Ninja first redoes the configuration if it has to."""
        self.build("build.ninja")
        listed = run(["ninja", "-C", self.directory, "-t", "targets", "all"], quiet=True).stdout
        return {line.split(":")[0] for line in listed.splitlines()}

    def is_built(self, target: str) -> bool:
        done = run(["ninja", "-C", self.directory, "-n", target], quiet=True)
        return done.returncode == 0 and "no work to do" in done.stdout


def workshop_tree() -> Tree:
    return Tree(BUILD, preset="workshop")


def release_tree() -> Tree:
    return Tree(BUILD_RELEASE, preset="release")


def first_errors(output: str, at_most: int = 12) -> str:
    """The lines of a build's output that say what is wrong."""
    plain = re.sub(r"\x1b\[[0-9;]*[mK]", "", output)
    lines = [line for line in plain.splitlines()
             if re.search(r"\b(error|fatal error|warning):|undefined reference|multiple definition", line)]
    errors = [line for line in lines if "warning:" not in line]
    lines = list(dict.fromkeys(errors or lines))
    if not lines:
        lines = [line for line in plain.splitlines() if line.strip()][-at_most:]
    shown = lines[:at_most]
    if len(lines) > at_most:
        shown.append(f"... and {len(lines) - at_most} more")
    return "\n".join("  " + line.replace(f"{ROOT}/", "") for line in shown)


def _cmake_errors(output: str) -> str:
    found = re.search(r"CMake Error.*?(?=\n\S|\Z)", output, re.S)
    text = output[found.start():] if found else output
    return "\n".join("  " + line for line in text.splitlines()[:25])


def configure_command(preset: str) -> int:
    tree = Tree(BUILD if preset == "workshop" else ROOT / f"build-{preset}", preset=preset)
    tree.refuse_foreign()
    say(f"$ cmake --preset {preset}")
    return run(["cmake", "--preset", preset]).returncode
