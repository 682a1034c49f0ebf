"""How http_echo begins and ends: errors of the command line, SIGTERM under load, again at once."""
from __future__ import annotations

import socket
import threading
import time

from server import HOST, Server, run_to_end, why_no_io_uring
from tally import Failure, check
from wire import Connection, Ended, Sender, request

WORKERS = 24
LARGE = bytes(range(256)) * 16_000  # 4 MB


class Load:
    """Clients that ask until the server ends; every answer that begins must come to its end."""

    def __init__(self, server: Server):
        self.answers = 0
        self.problems: list[str] = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, args=(server, i), daemon=True)
                         for i in range(WORKERS)]
        for thread in self._threads:
            thread.start()

    def _work(self, server: Server, index: int) -> None:
        batches = ([(request("POST", "/echo", LARGE[:30_000]), LARGE[:30_000])],
                   [(request(), b"ok\n")] * 4,
                   [(request("GET", "/stats"), None)],
                   [(request("POST", "/echo", LARGE[:900_000], chunk=9_999), LARGE[:900_000])])
        batch = batches[index % len(batches)]
        try:
            with Connection(server) as connection:
                while True:
                    sender = Sender(connection, [b"".join(sent for sent, _ in batch)])
                    for _, body in batch:
                        answer = connection.response()  # Ended: not one byte of it has come.
                        if answer.status != 200 or body not in (None, answer.body):
                            raise Failure(f"{answer.status} with {len(answer.body)} bytes")
                        with self._lock:
                            self.answers += 1
                        if answer.fields.get("connection") == "close":
                            connection.expect_end("the last answer")
                            return
                    sender.join()
        except (Ended, ConnectionError):
            pass
        except Failure as failure:
            with self._lock:
                self.problems.append(str(failure))

    def join(self) -> None:
        for thread in self._threads:
            thread.join(20)
        check(not any(t.is_alive() for t in self._threads), "clients still wait for a dead server")


def sigterm_under_load_leaves_no_answer_half_sent(program: str, driver: str, shards: int,
                                                  sanitized: bool) -> None:
    for turn in range(5):
        with Server(program, driver, shards, "--head-timeout", "2000", sanitized=sanitized) as server:
            with Connection(server) as idle, Connection(server, receive_buffer=65_536) as download, \
                    Connection(server) as upload:
                idle.send(request())
                idle.response()
                sending = Sender(download, [request("POST", "/echo", LARGE)])
                upload.send(request("POST", "/echo", None, "Content-Length: 10") + b"hello")
                load = Load(server)
                deadline = time.monotonic() + 10
                while load.answers < WORKERS * 4 and time.monotonic() < deadline:
                    time.sleep(0.01)
                before, asked = load.answers, time.monotonic()
                server.terminate()
                idle.expect_end("SIGTERM, while idle")
                check(time.monotonic() - asked < 2, "an idle client was kept for more than 2 s")
                upload.send(b"world")
                answer = upload.response()
                check(answer.body == b"helloworld", f"a request that had begun: {answer}")
                check(download.response().body == LARGE, "a large answer that had begun")
                sending.join()
                load.join()
                idle.socket.close(), upload.socket.close(), download.socket.close()
                server.stop()
            check(before >= WORKERS * 4, f"there was no load: {before} answers (turn {turn})")
            check(not load.problems, f"{len(load.problems)} answers were cut: {load.problems[:3]}")


def a_second_run_takes_the_same_port_at_once(program: str, driver: str, shards: int,
                                             sanitized: bool) -> None:
    port = 0
    for _ in range(12):
        with Server(program, driver, shards, port=port, sanitized=sanitized) as server:
            port = server.port
            with Connection(server) as connection:
                connection.send(request())
                connection.response()  # The server closes first: its side is in TIME_WAIT.
                server.terminate()
                connection.expect_end("SIGTERM")
            server.stop()


def a_port_is_never_shared_with_another_process(program: str, driver: str, shards: int,
                                                sanitized: bool) -> None:
    with Server(program, driver, shards, sanitized=sanitized) as server:
        for others in (1, 2):
            _sentence(program, f"{HOST}:{server.port}", "--port", str(server.port), "--shards",
                      str(others), "--driver", driver, sanitized=sanitized)
    with socket.socket() as stranger:
        stranger.bind((HOST, 0))
        stranger.listen()
        _sentence(program, "in use", "--port", str(stranger.getsockname()[1]), "--shards",
                  str(shards), "--driver", driver, sanitized=sanitized)


def a_listener_that_breaks_ends_it_with_a_sentence(program: str, driver: str, shards: int,
                                                   sanitized: bool) -> None:
    with Server(program, driver, shards, sanitized=sanitized) as server:
        with Connection(server) as connection:
            connection.send(request())
            check(connection.response().status == 200, "it does not serve")
            with server.listener() as listener:
                listener.shutdown(socket.SHUT_RDWR)
            connection.expect_end("the end of the listener, while idle")
        status, err = server.wait(), server.errors()
        check(status == 2 and err == "http_echo: accept: Invalid argument\n", f"{status}: {err!r}")


def _sentence(program: str, names: str, *arguments: str, sanitized: bool) -> None:
    """Exit status 2, nothing on stdout, one line on stderr that names what is wrong."""
    status, out, err = run_to_end(program, *arguments, sanitized=sanitized)
    check(status == 2, f"{' '.join(arguments)}: status {status} instead of 2: {err}")
    check(out == "" and err.count("\n") == 1 and err.startswith("http_echo: "),
          f"{' '.join(arguments)}: not one sentence: {out!r} {err!r}")
    check(names in err, f"{' '.join(arguments)}: {err!r} does not say {names!r}")


def bad_options_get_one_sentence(program: str, sanitized: bool) -> None:
    for names, *arguments in (
            ("--bad", "--bad"), ("extra", "extra"), ("--port", "--port"), ("80x", "--port", "80x"),
            ("65536", "--port", "65536"), ("-1", "--shards", "-1"), ("5000", "--shards", "5000"),
            ("kqueue", "--driver", "kqueue"), ("nonsense", "--host", "nonsense"),
            ("300.1.1.1", "--host", "300.1.1.1"), ("''", "--max-body", ""),
            ("203.0.113.7", "--host", "203.0.113.7", "--port", "0"),
            ("1.5", "--head-timeout", "1.5")):
        _sentence(program, names, *arguments, sanitized=sanitized)
    status, out, err = run_to_end(program, "--help", sanitized=sanitized)
    check(status == 0 and "--port" in out and err == "", f"--help: {status} {err!r}")


def auto_takes_io_uring_where_it_works(program: str, sanitized: bool) -> None:
    for driver in ("auto", "epoll"):
        with Server(program, driver, 1, sanitized=sanitized) as server:
            expected = "epoll" if driver == "epoll" or why_no_io_uring() else "io_uring"
            check(server.banner.endswith(f", 1 shard, {expected}\n"), f"it says {server.banner!r}")
            if driver == "auto" and expected == "epoll":
                check(server.errors().count("\n") == 1, "no word about io_uring being blocked")
                server.terminate()
                check(server.wait() == 0, "the exit status is not 0")


CHECKS = [sigterm_under_load_leaves_no_answer_half_sent, a_second_run_takes_the_same_port_at_once,
          a_port_is_never_shared_with_another_process,
          a_listener_that_breaks_ends_it_with_a_sentence]
ONCE = [bad_options_get_one_sentence, auto_takes_io_uring_where_it_works]
