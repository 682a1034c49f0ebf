"""What a server must not do for anybody: limits, deadlines, bad requests, smuggling.

The server of these checks is started with STRICT, so that they need not wait for long.
"""
from __future__ import annotations

import random
import time

from server import Server
from tally import Failure, check
from wire import Connection, Ended, request, still_serves

DEADLINE = 0.7
MAX_BODY = 1 << 20
_MS = str(int(DEADLINE * 1000))
STRICT = ("--max-body", str(MAX_BODY), "--head-timeout", _MS, "--body-timeout", _MS,
          "--idle-timeout", _MS, "--write-timeout", _MS)

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def _refused(server: Server, sent: bytes, *statuses: int, what: str) -> None:
    """One answer, with one of `statuses`; it says that the connection ends, and it does."""
    with Connection(server) as connection:
        try:
            connection.send(sent)
        except ConnectionError:
            pass  # It may end before it has taken everything; what matters is the answer.
        try:
            answer = connection.response()
        except Ended:
            raise Failure(f"{what}: the connection ended without an answer") from None
        check(answer.status in statuses, f"{what}: {answer.status} instead of {statuses}")
        check(answer.fields.get("connection") == "close", f"{what}: {answer.fields}")
        check(answer.body, f"{what}: the answer says nothing")
        connection.expect_end(what)


def _each(server: Server, status: int, cases: dict[str, bytes]) -> None:
    for what, sent in cases.items():
        _refused(server, sent + SMUGGLED, status, what=what)
    still_serves(server)


def malformed_requests_get_400(server: Server) -> None:
    line = b"GET / HTTP/1.1\r\n"
    _each(server, 400, {
        "no version": b"GET /\r\n\r\n", "two spaces": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "a bare LF": b"GET / HTTP/1.1\nHost: a\n\n", "no host": line + b"\r\n",
        "two hosts": line + b"Host: a\r\nHost: b\r\n\r\n", "a bad host": line + b"Host: a b\r\n\r\n",
        "a space before the colon": line + b"Host : a\r\n\r\n",
        "a folded line": line + b"Host: a\r\nX: 1\r\n 2\r\n\r\n",
        "no colon": line + b"Host\r\n\r\n", "an empty name": line + b": a\r\n\r\n",
        "a NUL in a value": line + b"Host: a\r\nX: 1\x002\r\n\r\n",
        "a CR in a value": line + b"Host: a\r\nX: 1\r2\r\n\r\n",
        "a bad method": b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "a bad target": b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
        "HTTP/1.1x": b"GET / HTTP/1.1x\r\nHost: a\r\n\r\n",
        "an HTTP/0.9 request": b"GET /\r\n"})


def garbage_ends_its_connection_alone(server: Server) -> None:
    chance = random.Random(10)
    hello = bytes.fromhex("160301020001000200fc0303") + chance.randbytes(500)
    samples = [hello, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n\r\n\r\n\r\n", b"\0" * 1000,
               b"SSH-2.0-OpenSSH_9.2\r\n", *(chance.randbytes(chance.randint(1, 3000))
                                             for _ in range(60))]
    for i, sample in enumerate(samples):
        with Connection(server) as connection:
            try:
                connection.send(sample)
                connection.half_close()
            except OSError:
                continue
            try:
                answer = connection.response()
            except Ended:
                continue
            check(answer.status in (400, 414, 431, 505), f"garbage {i}: {answer}")
            connection.expect_end(f"garbage {i}")
    still_serves(server)


def smuggling_is_refused_and_never_answered(server: Server) -> None:
    _each(server, 400, {
        "CL and TE": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "TE and CL": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "the same length twice": POST + b"Content-Length: 0\r\ncontent-length: 0\r\n\r\n",
        "a list of lengths": POST + b"Content-Length: 0, 0\r\n\r\n",
        "a signed length": POST + b"Content-Length: +0\r\n\r\n",
        "a negative length": POST + b"Content-Length: -1\r\n\r\n",
        "a hexadecimal length": POST + b"Content-Length: 0x0\r\n\r\n",
        "an empty length": POST + b"Content-Length: \r\n\r\n",
        "a length with a space": POST + b"Content-Length: 0 0\r\n\r\n",
        "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.0 with TE": POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n"})
    _each(server, 501, {
        "TE in a list": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n",
        "TE with a mark": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n".replace(b"\x0b", b"x"),
        "TE with quotes": POST + b'Transfer-Encoding: "chunked"\r\n\r\n'})


def bad_chunks_get_400(server: Server) -> None:
    _each(server, 400, {
        "no digit": CHUNKED + b"\r\n\r\n", "0x5": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
        "a sign": CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n", "a space": CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n",
        "a bare LF": CHUNKED + b"5\nhello\r\n0\r\n\r\n",
        "a CR and no LF": CHUNKED + b"5\rhello\r\n0\r\n\r\n",
        "a NUL in an extension": CHUNKED + b"5;a\0\r\nhello\r\n0\r\n\r\n"})
    # Here the answer has begun, but nothing of it has been sent.
    _each(server, 400, {
        "a longer chunk than announced": CHUNKED + b"5\r\nhelloX\r\n0\r\n\r\n",
        "a bad second chunk": CHUNKED + b"5\r\nhello\r\nxyz\r\n"})


def long_bodies_get_413(server: Server) -> None:
    body = b"x" * (MAX_BODY + 1)
    _refused(server, request("POST", "/echo", body), 413, what="one byte too many")
    _refused(server, POST + b"Content-Length: 99999999999999999999999\r\n\r\n", 413, what="2^64")
    _refused(server, CHUNKED + b"fffffff\r\nx", 413, what="a chunk of 256 MB")
    _refused(server, CHUNKED + b"f" * 40 + b"\r\nx", 413, what="a chunk of 2^160 bytes")
    _refused(server, CHUNKED + b"5\r\nhello\r\nfffffff\r\nx", 413, what="a second one of 256 MB")
    _refused(server, request("POST", "/echo", None, f"Content-Length: {MAX_BODY + 1}",
                             "Expect: 100-continue"), 413, what="one byte too many, expected")
    with Connection(server) as connection:  # As many as allowed are allowed.
        connection.send(request("POST", "/echo", body[1:]))
        check(len(connection.response().body) == MAX_BODY, "the longest body is not echoed")
    with Connection(server) as connection:  # Too many, noticed when the answer had begun.
        try:
            connection.send(request("POST", "/echo", body, chunk=60_000))
        except ConnectionError:
            pass
        try:
            check(connection.response().status == 413, "a chunked body that is too long is echoed")
        except (Failure, Ended):
            pass  # Cut off without the last chunk: nobody takes that for the whole.
    still_serves(server)


def long_lines_get_414_and_long_heads_431(server: Server) -> None:
    _refused(server, request("GET", "/" + "a" * 9000), 414, what="a target of 9,000 bytes")
    _refused(server, b"GET /" + b"a" * 100_000, 414, what="an endless target")
    _refused(server, request("GET", "/", None, "X: " + "a" * 20_000), 431, what="a long field")
    _refused(server, request("GET", "/", None, *(f"X-{i}: {i}" for i in range(65))), 431,
             what="65 fields")
    _refused(server, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000, 431,
             what="an endless field")
    still_serves(server)


def what_is_not_there_gets_404_405_417_501_505(server: Server) -> None:
    with Connection(server) as connection:
        for sent, status in ((request("GET", "/nowhere"), 404), (request("POST", "/nowhere", b"x"), 404),
                             (request("POST", "/health", b"x"), 405), (request("PUT", "/"), 405),
                             (request("DELETE", "/stats"), 405),
                             (request("POST", "/health", b"x" * 5, chunk=2), 405)):
            connection.send(sent)
            answer = connection.response()
            check(answer.status == status, f"{sent[:30]!r}: {answer.status} instead of {status}")
            check(status != 405 or "GET" in answer.fields.get("allow", ""), "405 allows nothing")
        connection.send(request())
        check(connection.response().body == b"ok\n", "the connection does not go on after that")
    _refused(server, request("POST", "/echo", None, "Transfer-Encoding: gzip"), 501, what="gzip")
    _refused(server, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501, what="CONNECT")
    _refused(server, request(version="2.0"), 505, what="HTTP/2.0")
    _refused(server, request("POST", "/echo", None, "Content-Length: 1", "Expect: tea"), 417,
             what="an unknown expectation")


def _timed(connection: Connection, started: float, statuses: tuple[int, ...], what: str) -> None:
    try:
        answer = connection.response()
        check(answer.status in statuses, f"{what}: {answer.status}")
        check(answer.fields.get("connection") == "close", f"{what}: {answer.fields}")
    except Ended:
        check(0 in statuses, f"{what}: the connection ended without 408")
    took = time.monotonic() - started
    check(took > DEADLINE * 0.9, f"{what}: after {took:.2f} s, and {DEADLINE} s are allowed")
    check(took < DEADLINE + 3, f"{what}: only after {took:.2f} s instead of {DEADLINE}")
    connection.expect_end(what)


def slow_heads_get_408_however_they_trickle(server: Server) -> None:
    slow = [Connection(server) for _ in range(100)]
    try:
        started = time.monotonic()
        for connection in slow:
            connection.send(b"GET / HTTP/1.1\r\nHo")
        trickling = slow[0]
        for byte in b"st: a\r\nX: " + b"a" * 500:  # The deadline is for the whole head.
            if time.monotonic() - started > DEADLINE * 0.8:
                break
            trickling.send(bytes([byte]))
            time.sleep(0.02)
        still_serves(server)  # A hundred of them, and the next client is served.
        for connection in slow:
            _timed(connection, started, (408,), "a slow head")
    finally:
        for connection in slow:
            connection.__exit__()


def slow_bodies_and_idle_clients_are_ended(server: Server) -> None:
    parts = (("no body", POST + b"Content-Length: 5\r\n\r\n", (408,)),
             ("no chunk", CHUNKED, (408,)), ("half a chunk size", CHUNKED + b"5", (408,)),
             ("an idle connection", b"", (0,)))
    connections = [Connection(server) for _ in parts]
    started = time.monotonic()
    try:
        for connection, (_, sent, _) in zip(connections, parts):
            connection.send(sent)
        for connection, (what, _, statuses) in zip(connections, parts):
            _timed(connection, started, statuses, what)
    finally:
        for connection in connections:
            connection.__exit__()
    with Connection(server) as connection:  # Half a body: the answer has begun, and stays a half.
        connection.send(POST + b"Content-Length: 10\r\n\r\nhello")
        try:
            check(connection.response().status == 408, "half a body is answered")
        except (Failure, Ended):
            connection.input.clear()
        connection.expect_end("half a body")


def clients_that_never_read_are_cut_off(server: Server) -> None:
    fds, before = server.fds(), server.rss_mib()
    page, body = request("GET", "/") * 200, b"x" * 100_000
    greedy = [Connection(server, receive_buffer=4096) for _ in range(20)]
    try:
        for connection in greedy:
            connection.socket.setblocking(False)
        sent = [0] * len(greedy)
        end = time.monotonic() + DEADLINE * 0.6
        while time.monotonic() < end:
            for i, connection in enumerate(greedy):
                part = page if i % 2 else request("POST", "/echo", body)
                try:  # Whole requests or not does not matter: nobody reads what comes of them.
                    sent[i] += connection.socket.send(part)
                except OSError:
                    pass
            time.sleep(0.001)
        grown = server.rss_mib() - before
        # Each may have some read-ahead, an unfinished request and 64 KiB of answers.
        limit = 80 if server.sanitized else 36
        check(grown < limit, f"20 clients that sent {sum(sent) >> 20} MiB and read nothing cost "
                             f"{grown:.0f} MiB of memory")
        left = server.wait_for_fds(fds)
        check(left <= fds, f"{left - fds} of 20 are still connected after the write timeout")
        still_serves(server)
    finally:
        for connection in greedy:
            connection.__exit__()


CHECKS = [malformed_requests_get_400, garbage_ends_its_connection_alone,
          smuggling_is_refused_and_never_answered, bad_chunks_get_400, long_bodies_get_413,
          long_lines_get_414_and_long_heads_431, what_is_not_there_gets_404_405_417_501_505,
          slow_heads_get_408_however_they_trickle, slow_bodies_and_idle_clients_are_ended,
          clients_that_never_read_are_cut_off]
