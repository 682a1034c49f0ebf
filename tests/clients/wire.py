"""HTTP/1.1 on a raw socket: what is sent is up to the check, what is received is read strictly."""
from __future__ import annotations

import random
import socket
import struct
import threading
from dataclasses import dataclass

from server import HOST, Server
from tally import Failure, check

TIMEOUT = 15.0


class Ended(Exception):
    """The server ended the connection where a response could have begun."""


@dataclass
class Response:
    status: int
    fields: dict[str, str]  # Names in lower case.
    body: bytes


class Connection:
    """One TCP connection. Use as a context manager."""

    def __init__(self, server: Server, timeout: float = TIMEOUT, receive_buffer: int = 0):
        self.socket = socket.socket()
        self.socket.settimeout(timeout)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.connect((HOST, server.port))
        except OSError:
            self.socket.close()
            raise
        self.input = bytearray()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *unused) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Vanishes: RST instead of an orderly end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def receive(self) -> bool:
        """Takes more in; False at the end, also at an abrupt one."""
        try:
            more = self.socket.recv(256 * 1024)
        except ConnectionError:
            return False
        except TimeoutError:
            raise Failure(f"nothing came for {self.socket.gettimeout():.0f} s; so far "
                          f"{bytes(self.input[:200])!r}") from None
        self.input += more
        return bool(more)

    def _until(self, mark: bytes, what: str) -> bytes:
        while (at := self.input.find(mark)) < 0:
            if not self.receive():
                raise Failure(f"the connection ended in {what}, after {bytes(self.input[-80:])!r}")
        taken = bytes(self.input[:at])
        del self.input[:at + len(mark)]
        return taken

    def take(self, size: int, what: str = "a body") -> bytes:
        while len(self.input) < size:
            if not self.receive():
                raise Failure(f"the connection ended {size - len(self.input)} bytes before the end "
                              f"of {what} of {size}")
        taken = bytes(self.input[:size])
        del self.input[:size]
        return taken

    def head(self) -> Response:
        """A response without its body. Raises Ended if not even its first byte comes."""
        while not self.input:
            if not self.receive():
                raise Ended
        lines = self._until(b"\r\n\r\n", "a head").decode("latin-1").split("\r\n")
        version, status, _ = (lines[0] + "  ").split(" ", 2)
        check(version == "HTTP/1.1" and status.isdigit(), f"a status line {lines[0]!r}")
        fields = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            check(colon and name and "\n" not in line, f"a field {line!r}")
            check(name.lower() not in fields, f"the field {name!r} twice")
            fields[name.lower()] = value.strip()
        return Response(int(status), fields, b"")

    def response(self, to_head: bool = False) -> Response:
        """The next response, 100 included, with its body."""
        answer = self.head()
        if to_head or answer.status < 200 or answer.status in (204, 304):
            return answer
        if answer.fields.get("transfer-encoding") == "chunked":
            check("content-length" not in answer.fields, "a response with two lengths")
            answer.body = b"".join(self.chunks())
        elif "content-length" in answer.fields:
            answer.body = self.take(int(answer.fields["content-length"]))
        else:
            check(answer.fields.get("connection") == "close", "a response without a length")
            while self.receive():
                pass
            answer.body = bytes(self.input)
            self.input.clear()
        return answer

    def chunks(self):
        """The pieces of a chunked body."""
        while size := int(self._until(b"\r\n", "a chunk's size"), 16):
            yield self.take(size, "a chunk")
            check(self.take(2, "a chunk's end") == b"\r\n", "a chunk without CR LF at its end")
        check(self.take(2, "a body's end") == b"\r\n", "trailers that nobody asked for")

    def expect_end(self, after: str) -> None:
        """Nothing more may come."""
        while not self.input and self.receive():
            pass
        check(not self.input, f"after {after} came {bytes(self.input[:120])!r}")


def request(method: str = "GET", target: str = "/health", body: bytes | None = None,
            *fields: str, version: str = "1.1", chunk: int = 0) -> bytes:
    """A well-formed request; with `chunk`, the body in chunks of that many bytes."""
    lines = [f"{method} {target} HTTP/{version}", "Host: localhost", *fields]
    if body is None:
        payload = b""
    elif chunk:
        lines.append("Transfer-Encoding: chunked")
        payload = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in
                           (body[i:i + chunk] for i in range(0, len(body), chunk))) + b"0\r\n\r\n"
    else:
        lines.append(f"Content-Length: {len(body)}")
        payload = body
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + payload


def pieces(data: bytes, seed: int, size_max: int):
    """Splits `data` into odd sizes, the same ones every time."""
    chance = random.Random(seed)
    at = 0
    while at < len(data):
        size = chance.choice((1, 2, 3, 7, chance.randint(1, size_max)))
        yield data[at:at + size]
        at += size


class Sender:
    """Sends from a thread of its own, so that the check can read meanwhile."""

    def __init__(self, connection: Connection, parts):
        self.problem: OSError | None = None
        self._connection, self._parts = connection, parts
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for part in self._parts:
                self._connection.send(part)
        except OSError as problem:
            self.problem = problem

    def join(self) -> None:
        self._thread.join(TIMEOUT * 2)
        check(not self._thread.is_alive(), "the server does not take what it is sent")
        if self.problem:
            raise self.problem


def still_serves(server: Server) -> None:
    """Whatever happened: the next client is served."""
    check(server.process.poll() is None, f"the server has died: {server.errors()}")
    with Connection(server) as connection:
        connection.send(request("POST", "/echo", b"still there?"))
        answer = connection.response()
        check((answer.status, answer.body) == (200, b"still there?"), f"afterwards: {answer}")
