"""The servers of the race: how each is started, and what is needed to have it."""
from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Server:
    key: str
    title: str
    mode: str              # "http" or "echo".
    needs: str             # The key of the program in programs.py.
    arguments: Callable[[int], list[str]]  # By port; without the program.
    kind: str = "peer"     # "starling", "floor" or "peer": the colour of its bar.
    posts: bool = False    # POST /echo gives the body back.


def _port(*more: str) -> Callable[[int], list[str]]:
    return lambda port: ["--port", str(port), *more]


def _nginx(port: int) -> list[str]:
    return ["-e", "stderr", "-c", str(_nginx_config(port))]


def _nginx_config(port: int) -> Path:
    """A fresh directory with nginx.conf: one worker, nothing logged, connections never closed."""
    directory = Path(tempfile.mkdtemp(prefix="starling-nginx-"))
    directory.chmod(0o755)
    temporary = "\n".join(f"  {kind}_temp_path {directory}/{kind};" for kind in
                          ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (directory / "nginx.conf").write_text(f"""\
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
error_log stderr crit;
pid {directory}/pid;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
{temporary}
  server {{
    listen {LOOPBACK}:{port} backlog=4096;
    location / {{ default_type text/plain; return 200 "ok\\n"; }}
  }}
}}
""")
    return directory / "nginx.conf"


def forget(command: list[str]) -> None:
    """Removes what was written to start a server."""
    for word in command:
        if word.endswith("/nginx.conf") and "starling-nginx-" in word:
            shutil.rmtree(Path(word).parent, ignore_errors=True)


STARLING_URING = "starling-uring"
STARLING_EPOLL = "starling-epoll"

HTTP = [
    Server(STARLING_URING, "Starling, io_uring", "http", "http_echo",
           _port("--shards", "1", "--driver", "io_uring"), "starling", posts=True),
    Server(STARLING_EPOLL, "Starling, epoll", "http", "http_echo",
           _port("--shards", "1", "--driver", "epoll"), "starling", posts=True),
    Server("floor-uring", "floor, io_uring", "http", "floor_uring", _port("--mode", "http"), "floor"),
    Server("floor-epoll", "floor, epoll", "http", "floor_epoll", _port("--mode", "http"), "floor"),
    Server("hyper", "hyper", "http", "tokio_peer", _port("--mode", "http")),
    Server("beast", "Beast", "http", "asio_peer", _port("--mode", "http")),
    Server("nginx", "nginx", "http", "nginx", _nginx),
]

ECHO = [
    Server(STARLING_URING, "Starling, io_uring", "echo", "starling_echo",
           _port("--driver", "io_uring"), "starling"),
    Server(STARLING_EPOLL, "Starling, epoll", "echo", "starling_echo",
           _port("--driver", "epoll"), "starling"),
    Server("floor-uring", "floor, io_uring", "echo", "floor_uring", _port("--mode", "echo"), "floor"),
    Server("floor-epoll", "floor, epoll", "echo", "floor_epoll", _port("--mode", "echo"), "floor"),
    Server("tokio", "Tokio", "echo", "tokio_peer", _port("--mode", "echo")),
    Server("asio", "Asio", "echo", "asio_peer", _port("--mode", "echo")),
    Server("libuv", "libuv", "echo", "uv_peer", _port("--mode", "echo")),
]


@dataclass(frozen=True)
class Scenario:
    key: str
    title: str
    mode: str
    load: tuple[str, ...]  # Arguments of the generator.

    @property
    def servers(self) -> list[Server]:
        return HTTP if self.mode == "http" else ECHO


SCENARIOS = [
    Scenario("http-64", "HTTP keep-alive, 64 connections", "http", ("--connections", "64")),
    Scenario("http-256", "HTTP keep-alive, 256 connections", "http", ("--connections", "256")),
    Scenario("http-pipelined", "HTTP pipelined by 16, 64 connections", "http",
             ("--connections", "64", "--pipeline", "16")),
    Scenario("echo-64", "TCP echo of 64 B, 64 connections", "echo",
             ("--connections", "64", "--size", "64")),
    Scenario("echo-4096", "TCP echo of 4 KiB, 64 connections", "echo",
             ("--connections", "64", "--size", "4096")),
]
