"""http_echo as a child process on a free loopback port, and what /proc says about it."""
from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

from tally import Failure, Skip, check

HOST = "127.0.0.1"
START_SECONDS = 20
STOP_SECONDS = 20

running: dict[int, subprocess.Popen] = {}  # By pid: what has to be ended whatever happens.


def end_all() -> None:
    """Ends every server that is still there: by its pid, and only what this program has started."""
    for process in list(running.values()):
        if process.poll() is None:
            process.kill()
            process.wait()
    running.clear()


class Server:
    """Use as a context manager; leaving it with an exception kills the server."""

    def __init__(self, program: str, driver: str, shards: int, *options: str, port: int = 0,
                 sanitized: bool = False):
        self.program, self.driver, self.shards = program, driver, shards
        self.options, self.wanted_port, self.sanitized = options, port, sanitized
        self.port = 0
        self.banner = ""
        self.terminated = False

    def __enter__(self) -> "Server":
        self._errors = tempfile.TemporaryFile()
        command = [self.program, "--host", HOST, "--port", str(self.wanted_port),
                   "--shards", str(self.shards), "--driver", self.driver, *self.options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self._errors, env=environment(self.sanitized))
        running[self.process.pid] = self.process
        os.set_blocking(self.process.stdout.fileno(), False)
        said = b""
        deadline = time.monotonic() + START_SECONDS
        while b"\n" not in said:
            said += self.process.stdout.read() or b""
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise Failure(f"the server did not start: {said.decode()}{self.errors()}")
            time.sleep(0.002)
        self.banner = said.decode()
        found = re.match(r"listening on http://127\.0\.0\.1:(\d+), (\d+) shards?, (\w+)\n",
                         self.banner)
        if not found:
            self.kill()
            raise Failure(f"the server's first line names no address: {self.banner!r}")
        self.port = int(found[1])
        return self

    def __exit__(self, kind, *unused) -> None:
        if self.process.poll() is None:
            if kind is None:
                self.stop()
            else:
                self.kill()

    def terminate(self) -> None:
        """SIGTERM, once: a second one would end the server at once."""
        if not self.terminated:
            self.process.send_signal(signal.SIGTERM)
        self.terminated = True

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The exit status."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"the server was still there {seconds} s after SIGTERM") from None
        running.pop(self.process.pid, None)
        return self.process.returncode

    def stop(self) -> None:
        """SIGTERM, then everything that a clean end consists of."""
        self.terminate()
        status = self.wait()
        errors = self.errors()
        check(status == 0, f"the exit status is {status}; stderr: {errors!r}")
        check(errors == "", f"stderr is not empty: {errors!r}")

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        running.pop(self.process.pid, None)

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[:4000]

    # What the kernel knows.

    def _status_kib(self, field: str) -> int:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M)[1])

    def rss_mib(self) -> float:
        return self._status_kib("VmRSS") / 1024

    def peak_mib(self) -> float:
        return self._status_kib("VmHWM") / 1024

    def fds(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def listener(self) -> socket.socket:
        """The socket one of its shards listens on: the very one, as if this were the server."""
        libc = ctypes.CDLL(None, use_errno=True)
        process = os.pidfd_open(self.process.pid)
        try:
            for name in os.listdir(f"/proc/{self.process.pid}/fd"):
                fd = libc.syscall(ctypes.c_long(438), process, int(name), 0)  # pidfd_getfd
                if fd < 0:
                    raise Skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
                if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.close(fd)
                    continue
                found = socket.socket(fileno=fd)
                if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    return found
                found.close()
        finally:
            os.close(process)
        raise Failure("it has no listener")

    def wait_for_fds(self, at_most: int, seconds: float = 8) -> int:
        """Waits until so few are left: a connection lingers before it is closed."""
        deadline = time.monotonic() + seconds
        while self.fds() > at_most and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.fds()

    # What the server itself knows.

    def stats(self) -> list[dict]:
        from wire import Connection
        with Connection(self) as connection:
            connection.send(b"GET /stats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return json.loads(connection.response().body)["shards"]


def environment(sanitized: bool) -> dict[str, str]:
    """The sanitizers find what they find, but keep little of what was freed: RSS is looked at."""
    env = dict(os.environ)
    if sanitized:
        env["ASAN_OPTIONS"] = "detect_leaks=1:quarantine_size_mb=4:malloc_context_size=12"
        env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
    return env


def run_to_end(program: str, *arguments: str, sanitized: bool = False) -> tuple[int, str, str]:
    """http_echo with arguments that should not let it start: status, stdout, stderr."""
    process = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment(sanitized))
    running[process.pid] = process
    try:
        out, err = process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise Failure(f"http_echo {' '.join(arguments)} goes on: {out}{err}") from None
    finally:
        running.pop(process.pid, None)
    return process.returncode, out, err


def why_no_io_uring() -> str:
    """"" where io_uring works."""
    params = ctypes.create_string_buffer(120)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(ctypes.c_long(425), ctypes.c_uint(4), params)  # io_uring_setup
    if fd < 0:
        return f"io_uring is blocked here: {os.strerror(ctypes.get_errno())}"
    os.close(fd)
    return ""
