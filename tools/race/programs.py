"""Builds what the race runs; what this machine lacks is left out by name, with its package."""
from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from workshop_lib.builds import Tree, first_errors, release_tree
from workshop_lib.common import ROOT, TESTS, WorkshopError, run, say

DEBIAN_CRATES = Path("/usr/share/cargo/registry")
TOKIO_SOURCES = TESTS / "race" / "peers" / "tokio"


@dataclass(frozen=True)
class Recipe:
    target: str = ""              # A CMake target, or empty for the two below.
    where: str = ""               # Its directory in the build tree.
    packages: tuple[str, ...] = ()  # Debian's names.
    what: str = ""                # What is missing without them.


RECIPES = {
    "http_echo": Recipe("http_echo"),
    "starling_echo": Recipe("starling_echo", "race"),
    "starling_micro": Recipe("starling_micro", "race"),
    "floor_uring": Recipe("floor_uring", packages=("liburing-dev",), what="liburing"),
    "floor_epoll": Recipe("floor_epoll"),
    "starling_load": Recipe("starling_load", "race", ("liburing-dev",), "liburing"),
    "asio_peer": Recipe("asio_peer", "race", ("libboost1.81-dev", "libboost-dev"), "Boost"),
    "asio_micro": Recipe("asio_micro", "race", ("libboost1.81-dev", "libboost-dev"), "Boost"),
    "limit_micro": Recipe("limit_micro", "race"),
    "uv_peer": Recipe("uv_peer", "race", ("libuv1-dev",), "libuv"),
    "tokio_peer": Recipe(packages=("librust-tokio-dev", "librust-hyper-dev", "cargo"),
                         what="cargo with Debian's crates of Tokio and hyper"),
    "tokio_micro": Recipe(packages=("librust-tokio-dev", "librust-hyper-dev", "cargo"),
                          what="cargo with Debian's crates of Tokio and hyper"),
    "nginx": Recipe(packages=("nginx-light",), what="nginx"),
}


@dataclass
class Programs:
    """Where each program is, and why the others are not there."""
    paths: dict[str, Path] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def build(self, keys: list[str], directory: str = "") -> None:
        tree = Tree(ROOT / directory) if directory else release_tree()
        say(f"Building {', '.join(keys)} ...")
        tree.configure()
        known = _targets(tree)
        for key in keys:
            try:
                self.paths[key] = self._one(tree, known, key)
            except WorkshopError as error:
                self.left_out[key] = str(error) + (f" (to have it: {error.remedy})"
                                                   if error.remedy else "")

    def _one(self, tree: Tree, known: set[str], key: str) -> Path:
        recipe = RECIPES[key]
        if key == "nginx":
            return _nginx()
        if key.startswith("tokio"):
            return _cargo(tree, key)
        if recipe.target not in known:
            if recipe.packages:
                raise WorkshopError(f"{recipe.what} is missing",
                                    f"apt install {recipe.packages[0]}")
            raise WorkshopError(f"this tree has no {recipe.target} yet")
        done = tree.build(recipe.target)
        if "unknown target" in done.stdout:  # It went when CMake looked again.
            raise WorkshopError(f"this tree has no {recipe.target} any more")
        if done.returncode != 0:
            raise WorkshopError(f"{recipe.target} does not build:\n{first_errors(done.stdout)}")
        return tree.directory / recipe.where / recipe.target


def _targets(tree: Tree) -> set[str]:
    listing = run(["ninja", "-C", tree.directory, "-t", "targets", "all"], quiet=True).stdout
    return {Path(line.split(":")[0]).name for line in listing.splitlines()}


def _nginx() -> Path:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise WorkshopError("nginx is missing", "apt install nginx-light")
    return Path(found)


def _cargo(tree: Tree, key: str) -> Path:
    """Builds in a copy: cargo writes a lock file beside the sources."""
    cargo = shutil.which("cargo")
    remedy = "apt install librust-tokio-dev librust-hyper-dev cargo"
    if not cargo:
        raise WorkshopError("cargo is missing", remedy)
    if not list(DEBIAN_CRATES.glob("tokio-1*")) or not list(DEBIAN_CRATES.glob("hyper-0*")):
        raise WorkshopError("Debian's crates of Tokio and hyper are missing", remedy)
    copy = tree.directory / "race" / "tokio"
    shutil.copytree(TOKIO_SOURCES, copy, dirs_exist_ok=True)
    done = run([cargo, "build", "--offline", "--release", "--bin", key, "-j", "1",
                "--config", 'source.crates-io.replace-with="distribution"',
                "--config", f'source.distribution.directory="{DEBIAN_CRATES}"'],
               cwd=copy, quiet=True, env={"CARGO_TARGET_DIR": str(copy / "target")})
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.startswith("error")]
        raise WorkshopError(f"cargo could not build {key}: {(lines or ['no message'])[0]}", remedy)
    return copy / "target" / "release" / key


def versions() -> dict[str, str]:
    """Of the peers and their tools, as far as they can be asked."""
    asked = {"cargo": ["cargo", "--version"], "rustc": ["rustc", "--version"],
             "nginx": [shutil.which("nginx") or "/usr/sbin/nginx", "-v"]}
    found = {}
    for name, command in asked.items():
        if shutil.which(command[0]):
            text = run(command, quiet=True).stdout
            number = re.search(r"\d+\.\d+[.\d]*", text)
            found[name] = number[0] if number else text.strip()
    for name in ("tokio", "hyper"):
        crates = sorted(DEBIAN_CRATES.glob(f"{name}-[0-9]*"))
        if crates:
            found[name] = crates[-1].name.removeprefix(f"{name}-")
    for name, header, pattern in (
            ("Boost", "boost/version.hpp", r'BOOST_LIB_VERSION "([\d_]+)"'),
            ("libuv", "uv/version.h", r"UV_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)")):
        for root in ("/usr/include", "/usr/local/include"):
            path = Path(root) / header
            if path.exists():
                found[name] = ".".join(re.findall(pattern, path.read_text())[:3]).replace("_", ".")
                break
    return found


def install() -> None:
    """Asks apt for every peer's packages."""
    if not shutil.which("apt-get"):
        raise WorkshopError("this machine has no apt",
                            "install Tokio's and hyper's crates, Boost, libuv and nginx yourself")
    names: list[str] = []
    for recipe in RECIPES.values():
        names += [p for p in recipe.packages[:1] if p not in names]
        if recipe.what.startswith("cargo"):
            names += [p for p in recipe.packages if p not in names
                      and not (p == "cargo" and shutil.which("cargo"))]
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}  # Nginx is not to start by itself.
    done = run([*prefix, "apt-get", "install", "-y", "-q", "--no-install-recommends", *names],
               env=quiet)
    if done.returncode != 0:
        raise WorkshopError("apt could not install the peers",
                            f"sudo apt-get update, then: sudo apt-get install {' '.join(names)}")
