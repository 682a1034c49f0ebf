"""Finds out what is missing on this machine, and installs it where apt is."""
from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .common import WorkshopError, run, say

CLANGS = ("19", "18", "17", "16")
GCCS = ("15", "14", "13")


@dataclass
class Need:
    what: str
    packages: list[str]  # Debian's and Ubuntu's names; the first one that exists is installed.
    present: Callable[[], bool]
    optional: bool = False  # The suite runs without it, and says so.


def compiler() -> str | None:
    """A compiler that can be used, chosen as CMake chooses (tools/cmake/StarlingCompiler.cmake)."""
    chosen = os.environ.get("CXX")
    names = [chosen] if chosen else [*(f"clang++-{v}" for v in CLANGS), "clang++",
                                     *(f"g++-{v}" for v in GCCS), "g++"]
    for name in names:
        path = shutil.which(name.split()[0])
        if path and _new_enough(path):
            return path
    return None


def gcc() -> str | None:
    """A usable GCC, for the suite's extra run."""
    for name in (*(f"g++-{v}" for v in GCCS), "g++"):
        path = shutil.which(name)
        if path and not _is_clang(path) and _new_enough(path):
            return path
    return None


def _is_clang(path: str) -> bool:
    return "clang" in run([path, "--version"], quiet=True).stdout


def _new_enough(path: str) -> bool:
    version = run([path, "-dumpversion"], quiet=True).stdout.strip()
    major = int(re.match(r"\d*", version).group() or 0)
    return major >= (16 if _is_clang(path) else 13)


def _has_header(name: str) -> bool:
    path = compiler()
    if path is None:
        return any((Path(d) / name).exists() for d in ("/usr/include", "/usr/local/include"))
    return subprocess.run([path, "-x", "c++", "-fsyntax-only", "-"], check=False, text=True,
                          input=f"#include <{name}>\n", capture_output=True).returncode == 0


def _has_sanitizers() -> bool:
    path = compiler()
    if path is None:
        return False
    done = subprocess.run([path, "-x", "c++", "-fsanitize=address,undefined", "-o", "/dev/null", "-"],
                          check=False, text=True, input="int main() {}\n", capture_output=True)
    return done.returncode == 0


def _has_cmake() -> bool:
    if not shutil.which("cmake"):
        return False
    found = re.search(r"(\d+)\.(\d+)", run(["cmake", "--version"], quiet=True).stdout)
    return bool(found) and (int(found[1]), int(found[2])) >= (3, 25)


def needs(for_suite: bool = False) -> list[Need]:
    found = compiler()
    version = re.search(r"clang\+\+-(\d+)", found or "")
    runtimes = [f"libclang-rt-{v}-dev" for v in ([version[1]] if version else CLANGS)]
    list_ = [
        Need("a C++20 compiler without coroutine bugs (clang 16+ or GCC 13+)",
             [f"clang-{v}" for v in CLANGS], lambda: found is not None),
        Need("the compiler's sanitizers", runtimes, _has_sanitizers),
        Need("CMake 3.25 or newer", ["cmake"], _has_cmake),
        Need("Ninja", ["ninja-build"], lambda: shutil.which("ninja") is not None),
        Need("git", ["git"], lambda: shutil.which("git") is not None),
        Need("GoogleTest", ["libgtest-dev"], lambda: _has_header("gtest/gtest.h")),
        Need("Google Benchmark", ["libbenchmark-dev"],
             lambda: _has_header("benchmark/benchmark.h")),
    ]
    if sys.platform == "linux":
        list_.append(Need("liburing", ["liburing-dev"], lambda: _has_header("liburing.h")))
    if for_suite:
        list_.append(Need("curl", ["curl"], lambda: shutil.which("curl") is not None, True))
        list_.append(Need("Doxygen", ["doxygen"], lambda: shutil.which("doxygen") is not None, True))
        list_.append(Need("wrk", ["wrk"], lambda: shutil.which("wrk") is not None, True))
    return list_


def ensure(yes: bool, for_suite: bool = False) -> None:
    """Returns when everything is there; otherwise installs it or says what to install."""
    missing = [need for need in needs(for_suite) if not need.present()]
    if not yes and missing and all(need.optional for need in missing):
        say("Not installed, so some clients are left out: " + ", ".join(n.what for n in missing))
        return
    if not missing:
        return
    _refuse_a_chosen_old_compiler()
    say("Missing on this machine:")
    for need in missing:
        say(f"  {need.what}  ({need.packages[0]})")
    if not shutil.which("apt-get"):
        raise WorkshopError("this machine has no apt, so install the list above yourself",
                            "the names are Debian's; your distribution's are similar")
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    if prefix and not shutil.which("sudo"):
        names = " ".join(need.packages[0] for need in missing)
        raise WorkshopError("packages are missing and there is no sudo",
                            f"as root: apt-get install {names}")
    if not yes and not _agreed():
        raise WorkshopError("nothing was installed", "./workshop --yes installs without asking")
    _apt(prefix, missing)
    still = [need for need in needs(for_suite) if not need.optional and not need.present()]
    if still:
        raise WorkshopError(f"still missing after the installation: {still[0].what}",
                            f"install {still[0].packages[0]} by hand")


def _refuse_a_chosen_old_compiler() -> None:
    chosen = os.environ.get("CXX")
    if chosen and compiler() is None:
        raise WorkshopError(f"CXX={chosen} is not clang 16 or GCC 13 or newer "
                            "(older ones miscompile coroutines)",
                            "unset CXX, and a good compiler is found or installed")


def _agreed() -> bool:
    if not sys.stdin or not sys.stdin.isatty():
        return False
    return input("Install them now with apt? [Y/n] ").strip().lower() in ("", "y", "yes")


def _apt(prefix: list[str], missing: list[Need]) -> None:
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run([*prefix, "apt-get", "update", "-q"], env=quiet)
    names = []
    for need in missing:
        known = [p for p in need.packages
                 if run(["apt-cache", "show", "--no-all-versions", p], quiet=True).returncode == 0]
        names.append((known or need.packages)[0])
    command = [*prefix, "apt-get", "install", "-y", "-q", "--no-install-recommends", *names]
    say("$ " + " ".join(command))
    if run(command, env=quiet).returncode != 0:
        raise WorkshopError("apt could not install " + " ".join(names),
                            "read apt's message above; ./workshop starts over")


def io_uring_state() -> str:
    """"" when io_uring works here, else why not."""
    if sys.platform != "linux":
        return "this system has no io_uring"
    libc = ctypes.CDLL(None, use_errno=True)
    params = ctypes.create_string_buffer(120)
    fd = libc.syscall(ctypes.c_long(425), ctypes.c_uint(4), params)  # io_uring_setup
    if fd >= 0:
        os.close(fd)
        return ""
    code = ctypes.get_errno()
    return f"io_uring is blocked here ({errno.errorcode.get(code, code)})"
