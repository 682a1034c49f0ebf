"""What ordinary clients do: curl, wrk, http.client, and HTTP's everyday forms."""
from __future__ import annotations

import http.client
import random
import re
import shutil
import subprocess
import time

from server import HOST, Server
from tally import Skip, check
from wire import Connection, Sender, pieces, request

LARGE = random.Random(1).randbytes(3_000_001)


def _curl(server: Server, *arguments: str, data: bytes = b"") -> bytes:
    if not shutil.which("curl"):
        raise Skip("curl is not installed")
    *options, path = arguments
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "--noproxy", "*", *options,
                           *(f"http://{HOST}:{server.port}{p}" for p in path.split())],
                          input=data, capture_output=True, timeout=30, check=False)
    check(done.returncode == 0, f"curl ends with {done.returncode}: {done.stderr.decode()}")
    return done.stdout


def curl_gets_every_page(server: Server) -> None:
    check(_curl(server, "/health") == b"ok\n", "/health is not ok")
    check(b"<h1>Starling</h1>" in _curl(server, "/"), "/ is not the page")
    check(b"User-Agent: curl/" in _curl(server, "/echo?x=1"), "/echo does not show the request")
    check(b'"requests"' in _curl(server, "/stats"), "/stats has no counters")


def curl_uses_one_connection_for_many_requests(server: Server) -> None:
    out = _curl(server, "-w", "[%{num_connects}]", "/health " * 20)
    check(out == b"ok\n[1]" + b"ok\n[0]" * 19, f"curl says {out[:100]!r}")


def curl_uploads_with_a_length_and_in_chunks(server: Server) -> None:
    for options in (["--data-binary", "@-"], ["-T", "-"],
                    ["-T", "-", "-H", "Expect: 100-continue"], ["--http1.0", "--data-binary", "@-"]):
        out = _curl(server, *options, "/echo", data=LARGE)
        check(out == LARGE, f"curl {' '.join(options)}: {len(out)} of {len(LARGE)} bytes, or others")


def curl_asks_for_the_head_alone(server: Server) -> None:
    out = _curl(server, "-I", "/health")
    check(out.startswith(b"HTTP/1.1 200 OK\r\n") and b"\r\nContent-Length: 3\r\n" in out,
          f"curl -I: {out!r}")


def wrk_finds_no_error(server: Server) -> None:
    if not shutil.which("wrk"):
        raise Skip("wrk is not installed (Debian package wrk)")
    done = subprocess.run(["wrk", "-t2", "-c64", "-d1s", f"http://{HOST}:{server.port}/health"],
                          capture_output=True, text=True, timeout=30, check=False)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    check(rate and float(rate[1]) > 100, f"wrk: {done.stdout}{done.stderr}")
    for trouble in ("Socket errors", "Non-2xx"):
        check(trouble not in done.stdout, f"wrk: {done.stdout}")


def http_client_keeps_its_connection(server: Server) -> None:
    connection = http.client.HTTPConnection(HOST, server.port, timeout=10)
    try:
        connection.connect()
        first = connection.sock
        for i in range(200):
            body = LARGE[i:i + 37 * i]
            connection.request("POST", "/echo", body)
            answer = connection.getresponse()
            check(answer.status == 200 and answer.read() == body, f"request {i} differs")
            check(connection.sock is first, f"the connection ended with request {i}")
    finally:
        connection.close()


def http_client_streams_chunks(server: Server) -> None:
    connection = http.client.HTTPConnection(HOST, server.port, timeout=10)
    parts = [LARGE[i * 997:i * 997 + 1 + i * 3] for i in range(400)]
    try:
        for _ in range(2):
            connection.request("POST", "/echo", iter(parts), encode_chunked=True,
                               headers={"Transfer-Encoding": "chunked"})
            check(connection.getresponse().read() == b"".join(parts), "the chunks come back otherwise")
    finally:
        connection.close()


def a_thousand_pipelined_requests_are_answered_in_order(server: Server) -> None:
    bodies = [LARGE[i * 31:i * 31 + i * 7 % 400] for i in range(1000)]
    sent = b"".join(
        request("GET", "/health") if i % 5 == 4 else
        request("POST", "/echo", body, chunk=1 + i % 90 if i % 3 == 0 else 0)
        for i, body in enumerate(bodies))
    with Connection(server) as connection:
        sender = Sender(connection, pieces(sent, 7, 2000))
        for i, body in enumerate(bodies):
            answer = connection.response()
            expected = b"ok\n" if i % 5 == 4 else body
            check(answer.status == 200 and answer.body == expected,
                  f"answer {i} of 1000 is {answer.status} with {answer.body[:40]!r}")
        sender.join()
        check(not connection.input, "more answers than requests")


def one_byte_at_a_time(server: Server) -> None:
    with Connection(server) as connection:
        for sent, body in ((request("POST", "/echo?slow", b"with a length"), b"with a length"),
                           (request("POST", "/echo", b"and in chunks", chunk=5), b"and in chunks")):
            for byte in sent:
                connection.send(bytes([byte]))
                time.sleep(0.0005)  # Not a wait for anything: it keeps the bytes apart.
            check(connection.response().body == body, "the body differs")


def head_has_the_fields_of_get_and_no_body(server: Server) -> None:
    with Connection(server) as connection:
        for target in ("/", "/health", "/echo"):
            connection.send(request("HEAD", target) + request("GET", target))
            head, get = connection.response(to_head=True), connection.response()
            check(head.status == get.status == 200, f"HEAD {target}: {head.status}")
            check("content-length" in head.fields, f"HEAD {target} has no length")
            if target != "/echo":  # Which shows the method.
                check(head.fields["content-length"] == str(len(get.body)), f"HEAD {target}: {head}")


def http_1_0_ends_after_the_answer_unless_asked(server: Server) -> None:
    with Connection(server) as connection:
        connection.send(b"GET /health HTTP/1.0\r\n\r\n")
        check(connection.response().body == b"ok\n", "the body differs")
        connection.expect_end("an HTTP/1.0 answer")
    with Connection(server) as connection:
        for _ in range(3):
            connection.send(request("POST", "/echo", b"x", "Connection: keep-alive", version="1.0"))
            answer = connection.response()
            check(answer.fields.get("connection") == "keep-alive", f"kept, but: {answer.fields}")


def connection_close_is_obeyed(server: Server) -> None:
    with Connection(server) as connection:
        connection.send(request("GET", "/health", None, "Connection: close") + request())
        answer = connection.response()
        check(answer.fields.get("connection") == "close", f"the answer says {answer.fields}")
        connection.expect_end("Connection: close")


def the_server_says_continue_when_it_is_asked_to(server: Server) -> None:
    with Connection(server) as connection:
        for framing, body in (("Content-Length: 5", b"hello"),
                              ("Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n")):
            head = request("POST", "/echo", None, "Expect: 100-continue", framing)
            connection.send(head)
            check(connection.response().status == 100, f"no 100 before the body ({framing})")
            connection.send(body)
            check(connection.response().body == b"hello", f"the body differs ({framing})")
            connection.send(head + body)  # It did not wait: that is allowed.
            answer = connection.response()
            answer = connection.response() if answer.status == 100 else answer
            check(answer.body == b"hello", f"sent at once, the body differs ({framing})")


def an_unread_body_does_not_disturb_the_next_request(server: Server) -> None:
    with Connection(server) as connection:
        for target, status in (("/health", 200), ("/nowhere", 404)):
            head = request("GET", target, None, "Content-Length: 20000")
            connection.send(head)
            time.sleep(0.01)  # So that the body usually comes when the head has been handled.
            connection.send(b"GET /smuggled HTTP/1.1\r\n"[:20] * 1000)
            check(connection.response().status == status, f"{target} with a body")
            connection.send(request())
            check(connection.response().body == b"ok\n", f"the request after {target}")


def half_closed_clients_get_their_answers(server: Server) -> None:
    body = LARGE[:700_000]
    for sent, bodies in ((request("POST", "/echo", b"bye"), [b"bye"]),
                         (request("POST", "/echo", body, chunk=65_536), [body]),
                         (request() * 3, [b"ok\n"] * 3), (request("GET", "/stats"), [None])):
        with Connection(server) as connection:
            sender = Sender(connection, [sent])
            if len(sent) < 100_000:
                sender.join()
                connection.half_close()
            for expected in bodies:
                answer = connection.response()
                check(answer.status == 200, f"after the half-close: {answer.status}")
                check(expected in (None, answer.body), "after the half-close: the body differs")
            sender.join()
            if len(sent) >= 100_000:
                connection.half_close()
            connection.expect_end("the half-close")


CHECKS = [curl_gets_every_page, curl_uses_one_connection_for_many_requests,
          curl_uploads_with_a_length_and_in_chunks, curl_asks_for_the_head_alone,
          wrk_finds_no_error, http_client_keeps_its_connection, http_client_streams_chunks,
          a_thousand_pipelined_requests_are_answered_in_order, one_byte_at_a_time,
          head_has_the_fields_of_get_and_no_body, http_1_0_ends_after_the_answer_unless_asked,
          connection_close_is_obeyed, the_server_says_continue_when_it_is_asked_to,
          an_unread_body_does_not_disturb_the_next_request, half_closed_clients_get_their_answers]
