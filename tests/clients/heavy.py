"""Much at once: 100 MB, 1,000 connections, clients that vanish."""
from __future__ import annotations

import random
import resource

from server import Server
from tally import Skip, check
from wire import Connection, Sender, request, still_serves

BLOCK = random.Random(3).randbytes(1_048_573)  # A prime: it never falls in step with buffers.
UPLOAD = 100_000_000
CROWD = 1000


def _upload_parts(size: int, chunk: int):
    """A chunked POST of BLOCK again and again, without ever having all of it in memory."""
    twice = memoryview(BLOCK + BLOCK)
    yield request("POST", "/echo", None, "Transfer-Encoding: chunked")
    for at in range(0, size, chunk):
        length = min(chunk, size - at)
        begin = at % len(BLOCK)
        yield b"%x\r\n" % length + twice[begin:begin + length] + b"\r\n"
    yield b"0\r\n\r\n"


def a_chunked_upload_of_100_mb_comes_back_byte_for_byte(server: Server) -> None:
    twice = memoryview(BLOCK + BLOCK)
    before = server.peak_mib()
    with Connection(server) as connection:
        sender = Sender(connection, _upload_parts(UPLOAD, 99_991))
        answer = connection.head()
        check(answer.status == 200 and answer.fields.get("transfer-encoding") == "chunked",
              f"the answer is {answer}")
        at = 0
        for piece in connection.chunks():
            begin = at % len(BLOCK)
            check(begin + len(piece) <= len(twice) and piece == twice[begin:begin + len(piece)],
                  f"the bytes from {at} on differ")
            at += len(piece)
        sender.join()
        check(at == UPLOAD, f"{at} of {UPLOAD} bytes came back")
        grown = server.peak_mib() - before
        limit = 64 if server.sanitized else 8
        check(grown < limit, f"for that the server's memory grew by {grown:.1f} MiB")
        connection.send(request())
        check(connection.response().body == b"ok\n", "the connection does not go on")


def a_thousand_connections_are_served_at_once(server: Server) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < CROWD + 100:
        raise Skip(f"only {soft} descriptors are allowed here, and the hard limit is {hard}")
    fds = server.fds()
    crowd: list[Connection] = []
    try:
        for _ in range(CROWD):
            crowd.append(Connection(server))
        for turn in range(3):
            for i, connection in enumerate(crowd):
                connection.send(request("POST", "/echo", b"%d of turn %d" % (i, turn)))
            for i, connection in enumerate(crowd):
                answer = connection.response()
                check(answer.body == b"%d of turn %d" % (i, turn), f"client {i}: {answer}")
        stats = server.stats()
        there = sum(shard["open"] for shard in stats)
        check(there >= CROWD, f"/stats says {there} of {CROWD} are open")
        check(all(shard["connections"] for shard in stats), f"a shard has no client: {stats}")
    finally:
        for connection in crowd:
            connection.__exit__()
    left = server.wait_for_fds(fds)
    check(left <= fds, f"{left - fds} descriptors are left over")


def clients_that_vanish_leave_nothing_behind(server: Server) -> None:
    fds = server.fds()
    half_body = request("POST", "/echo", BLOCK[:200_000])[:100_000]
    half_chunk = request("POST", "/echo", BLOCK[:200_000], chunk=70_000)[:100_000]
    shapes = (b"", b"GET / HT", request()[:-1], half_body, half_chunk, request() * 50,
              request("POST", "/echo", None, "Expect: 100-continue", "Content-Length: 5"),
              request("GET", "/stats"))
    for turn in range(12):
        for shape in shapes:
            connection = Connection(server)
            try:
                connection.socket.setblocking(False)
                connection.socket.send(shape)
            except OSError:
                pass
            if turn % 3 == 0:
                connection.reset()
            elif turn % 3 == 1:
                connection.socket.close()
            else:
                connection.half_close()
                connection.socket.close()
    still_serves(server)
    left = server.wait_for_fds(fds)
    check(left <= fds, f"{left - fds} descriptors are left over")


CHECKS = [a_chunked_upload_of_100_mb_comes_back_byte_for_byte,
          a_thousand_connections_are_served_at_once, clients_that_vanish_leave_nothing_behind]
