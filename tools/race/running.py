"""One running server: started on its core, watched through /proc, loaded by the generator."""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from workshop_lib.common import WorkshopError, run

from .servers import LOOPBACK, Server, forget

REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
START_LIMIT_S = 10


class Cores:
    """The server's cores and the generator's. On one core they share it, which is said."""

    def __init__(self, shards: int = 1) -> None:
        allowed = sorted(os.sched_getaffinity(0))
        self.all = set(allowed)
        self.shared = len(allowed) <= shards
        self.server = set(allowed[:shards])
        self.generator = set(allowed) if self.shared else {allowed[-1]}


class Running:
    """A server process, from its start to SIGTERM. Use as a context manager."""

    def __init__(self, program: Path, server: Server, cores: Cores, more: tuple[str, ...] = ()):
        self.server = server
        self.cores = cores
        self.port = _free_port()
        self.command = [str(program), *server.arguments(self.port), *more]
        self.first_answer_ms = 0.0
        self.output = ""

    def __enter__(self) -> "Running":
        os.sched_setaffinity(0, self.cores.server)  # Inherited by the server.
        began = time.perf_counter_ns()
        try:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, text=True,
                                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                            close_fds=False)
        finally:
            os.sched_setaffinity(0, self.cores.generator)
        try:
            self._wait_for_answer(began)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *unused) -> None:
        self.stop()
        os.sched_setaffinity(0, self.cores.all)

    def _wait_for_answer(self, began: int) -> None:
        while True:
            try:
                with socket.create_connection((LOOPBACK, self.port), timeout=5) as connection:
                    exchange(connection, self.server.mode)
                self.first_answer_ms = (time.perf_counter_ns() - began) / 1e6
                return
            except OSError as error:
                if self.process.poll() is not None:
                    text = (self.process.stdout.read() or "").strip() or "without a word"
                    raise WorkshopError(f"{self.server.title} ended at once: {text}") from None
                if time.perf_counter_ns() - began > START_LIMIT_S * 1e9:
                    raise WorkshopError(f"{self.server.title} gave no answer within "
                                        f"{START_LIMIT_S} s ({error})") from None

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.output = self.process.communicate(timeout=10)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.output = self.process.communicate()[0]
        forget(self.command)

    def pids(self) -> list[int]:
        """The processes that work: the workers where there are some (nginx)."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = [int(word) for word in path.read_text().split()] if path.exists() else []
        return children or [self.process.pid]

    def cpu_s(self) -> float:
        # The clock of another process: clock_getcpuclockid(3).
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in self.pids())

    def memory(self) -> dict[str, int]:
        """Bytes: everything resident, and only what the process itself has written."""
        total = {"rss": 0, "anonymous": 0}
        for pid in self.pids():
            text = Path(f"/proc/{pid}/status").read_text()
            for key, name in (("rss", "VmRSS"), ("anonymous", "RssAnon")):
                total[key] += int(re.search(rf"{name}:\s+(\d+)", text)[1]) * 1024
        return total

    def user_ticks(self) -> tuple[int, int]:
        """(user, user and system) so far, in clock ticks."""
        user = system = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            user, system = user + int(fields[11]), system + int(fields[12])
        return user, user + system

    def load(self, generator: Path, arguments: tuple[str, ...], seconds: float,
             warmup: float = 0.5, prefix: tuple[str, ...] = ()) -> dict:
        """One run of the generator on its own core; its JSON."""
        command = [*prefix, str(generator), "--port", str(self.port), "--mode", self.server.mode,
                   "--seconds", str(seconds), "--warmup", str(warmup), *arguments]
        for pid in self.pids():
            command += ["--pid", str(pid)]
        before = self.user_ticks()
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=seconds + warmup + 60)
        if done.returncode != 0:
            why = done.stderr.strip().splitlines() or [f"{done.stdout.strip()[:60]} ..."]
            raise WorkshopError(f"{self.server.title}, {' '.join(arguments)}: {why[-1]}")
        result = json.loads(done.stdout)
        user, both = (now - then for now, then in zip(self.user_ticks(), before))
        result["user_share"] = user / both if both else 0.0
        return result

    def syscalls_per_answer(self, generator: Path, arguments: tuple[str, ...],
                            seconds: float) -> float | None:
        """Counted by the kernel (perf), or by the server itself where that is not allowed."""
        by_kernel = self._counted_by_kernel(generator, arguments, seconds)
        if by_kernel is not None or not self.server.posts:
            return by_kernel
        before = self._own_totals()
        self.load(generator, arguments, seconds, 0)
        requests, calls = (now - then for now, then in zip(self._own_totals(), before))
        return calls / requests if requests else None

    def _own_totals(self) -> tuple[int, int]:
        """Requests and system calls so far, from http_echo's /stats."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/stats", timeout=5) as answer:
            shards = json.load(answer)["shards"]
        return sum(s["requests"] for s in shards), sum(s["syscalls"] for s in shards)

    def _counted_by_kernel(self, generator: Path, arguments: tuple[str, ...],
                           seconds: float) -> float | None:
        if not shutil.which("perf"):
            return None
        pids = ",".join(str(pid) for pid in self.pids())
        counts = Path(f"/tmp/starling-race-{os.getpid()}.csv")
        prefix = ("perf", "stat", "-x", ",", "-o", str(counts), "-e", "raw_syscalls:sys_enter",
                  "-p", pids, "--")
        try:
            result = self.load(generator, arguments, seconds, 0, prefix)
            found = re.search(r"^(\d+),[^\n]*raw_syscalls:sys_enter", counts.read_text(), re.M)
        except (WorkshopError, OSError, ValueError):
            return None
        finally:
            counts.unlink(missing_ok=True)
        return int(found[1]) / result["answers"] if found else None

    def memory_per_connection(self, count: int) -> float:
        """Bytes in user space for a connection that has been served once and is idle."""
        before = self.memory()["anonymous"]
        connections = []
        try:
            for _ in range(count):
                connection = socket.create_connection((LOOPBACK, self.port), timeout=5)
                connections.append(connection)
                exchange(connection, self.server.mode)
            return (self.memory()["anonymous"] - before) / count
        finally:
            for connection in connections:
                connection.close()


def exchange(connection: socket.socket, mode: str) -> None:
    """One request and its answer; OSError if it does not come."""
    connection.sendall(REQUEST)
    received = b""
    while (len(received) < len(REQUEST)) if mode == "echo" else (b"\r\n\r\nok" not in received):
        part = connection.recv(4096)
        if not part:
            raise OSError("the connection was closed")
        received += part


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def machine() -> dict[str, str]:
    """What a reader needs to know to compare; no names of hosts or people."""
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    release = Path("/etc/os-release")
    system = re.search(r'PRETTY_NAME="(.*)"', release.read_text()) if release.exists() else None
    return {"cpu": cpu[1] if cpu else os.uname().machine,
            "cores": str(len(os.sched_getaffinity(0))),
            "kernel": os.uname().release.split("-")[0],
            "system": system[1] if system else os.uname().sysname}


def compiler(tree: Path) -> str:
    """What a build tree was compiled with, "clang 19.1.4"."""
    for path in sorted((tree / "CMakeFiles").glob("*/CMakeCXXCompiler.cmake")):
        text = path.read_text()
        name = re.search(r'CMAKE_CXX_COMPILER_ID "(.*)"', text)
        number = re.search(r'CMAKE_CXX_COMPILER_VERSION "(.*)"', text)
        if name and number:
            return f"{name[1].lower().replace('gnu', 'gcc')} {number[1]}"
    return "an unknown compiler"


def commit() -> str:
    done = run(["git", "describe", "--always", "--dirty", "--abbrev=10"], quiet=True)
    return done.stdout.strip() if done.returncode == 0 else "unknown"
