"""`./workshop demo` and `./workshop bench`."""
from __future__ import annotations

import argparse
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import packages
from .builds import release_tree
from .common import SOLUTIONS, WorkshopError, bold, layer_of, processors, run, say

LOOPBACK = "127.0.0.1"


class Server:
    """http_echo on a free loopback port. Use as a context manager."""

    def __init__(self, program: Path, *options: str, shards: int = 0):
        self.port = free_port()
        self.command = [str(program), "--port", str(self.port), *options]
        if shards:
            self.command += ["--shards", str(shards)]

    def __enter__(self) -> "Server":
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 10
        while True:
            if self.process.poll() is not None:
                text = self.process.stdout.read().decode(errors="replace").strip()
                raise WorkshopError(f"http_echo ended at once: {text or self.process.returncode}")
            try:
                socket.create_connection((LOOPBACK, self.port), timeout=1).close()
                return self
            except OSError:
                if time.monotonic() > deadline:
                    self.process.kill()
                    raise WorkshopError("http_echo did not open its port within 10 s") from None
                time.sleep(0.01)

    def __exit__(self, *unused) -> None:
        self.status = self.stop()

    def stop(self, timeout: float = 15) -> int:
        """SIGTERM; the exit status, or -9 after `timeout` seconds."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.output = self.process.communicate(timeout=timeout)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.output = self.process.communicate()[0].decode(errors="replace")
        return self.process.returncode

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def demo_command(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="workshop demo")
    parser.add_argument("step", nargs="?", help="run this step's demo on your layers")
    parser.add_argument("--solution", action="store_true", help="on the reference instead")
    parser.add_argument("--serve", action="store_true", help="keep serving until Ctrl-C")
    options = parser.parse_args(arguments)
    layer = layer_of(options.step) if options.step else ""
    packages.ensure(yes=False)
    if layer:
        return _step_demo(layer, options.solution)
    return _http_demo(options.serve)


def _step_demo(layer: str, solution: bool) -> int:
    tree = release_tree()
    tree.configure()
    target = f"demo_{'solution' if solution else 'step'}_{layer[:2]}"
    tree.must_build(target)
    return subprocess.run([tree.directory / target], check=False).returncode


def _http_demo(serve: bool) -> int:
    if not (SOLUTIONS / "10_http_echo").is_dir():
        raise WorkshopError("solutions/10_http_echo is missing", "git checkout -- solutions")
    say("Building http_echo from solutions/ (optimised) ...")
    tree = release_tree()
    tree.configure()
    tree.must_build("http_echo")
    with Server(tree.directory / "http_echo") as server:
        say(f"Serving on {bold(f'http://{LOOPBACK}:{server.port}/')} with {processors()} shards\n")
        for method, path, body in (("GET", "/health", None), ("POST", "/echo", b"hello, starling"),
                                   ("GET", "/stats", None)):
            status, text = server.request(method, path, body)
            shown = text.decode(errors="replace").strip()
            say(f"  {method} {path}" + (f"  {body.decode()}" if body else ""))
            say(f"  {status}  " + "\n       ".join(shown.splitlines()[:12]) + "\n")
        say(_load(server))
        why = packages.io_uring_state()
        if why:
            say(f"{why}: the server used epoll.")
        if serve:
            say(f"Staying up: http://{LOOPBACK}:{server.port}/  (Ctrl-C ends it)")
            try:
                server.process.wait()
            except KeyboardInterrupt:
                say()
    say(f"The server ended with status {server.status}. "
        f"Yours to run: build-release/http_echo --port 8080")
    return 0 if server.status == 0 else 1


def _load(server: Server) -> str:
    """Two seconds of load: by wrk where it is installed, else one Python connection."""
    url = f"http://{LOOPBACK}:{server.port}/health"
    if shutil.which("wrk"):
        done = run(["wrk", "-t1", "-c32", "-d2s", "--latency", url], quiet=True).stdout
        rate = re.search(r"Requests/sec:\s*([\d.]+)", done)
        tail = re.search(r"99%\s+(\S+)", done)
        if rate:
            return (f"wrk, 32 connections, 2 s: {float(rate[1]):,.0f} requests/s"
                    + (f", 99 % within {tail[1]}" if tail else ""))
    connection = http.client.HTTPConnection(LOOPBACK, server.port, timeout=10)
    count, end = 0, time.monotonic() + 2
    while time.monotonic() < end:
        connection.request("GET", "/health")
        connection.getresponse().read()
        count += 1
    return f"one Python connection, 2 s: {count / 2:,.0f} requests/s (install wrk for a real load)"


def bench_command(arguments: list[str]) -> int:
    if len(arguments) < 1:
        raise WorkshopError("name a step", "./workshop bench 05")
    layer = layer_of(arguments[0])
    packages.ensure(yes=False)
    tree = release_tree()
    tree.configure()
    status = 0
    for title, target in (("the reference", f"bench_{layer}"), ("yours", f"bench_step_{layer}")):
        say(bold(f"\n{layer}: {title}"))
        tree.must_build(target)
        program = tree.directory / target
        status |= subprocess.run([program, *arguments[1:]], check=False,
                                 env={**os.environ}).returncode
    return status
