"""Requests that never come to an end are ended; what is too large is not taken in."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import psutil
import pytest

Program = Callable[..., AbstractContextManager[tuple[int, psutil.Process]]]
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
HALVES = {
    "nothing": b"",
    "half a line": b"POST /pre",
    "half a head": HEAD + b"X-A: ",
    "no line but its end": b"\r\n",
    "half a body": HEAD + b"Content-Type: text/csv\r\nContent-Length: 100000\r\n\r\nage",
    "half a chunk": HEAD + b"Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nage",
    "half a second request": b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /he",
}


@pytest.fixture(scope="module")
def port(trained_home: Path, program: Program) -> Iterator[int]:
    """An API that waits for two seconds."""
    with program(trained_home, "api", header_timeout_s=2, body_timeout_s=2) as (port, _):
        yield port


def ended(connection: socket.socket, drip: bytes, within_s: float) -> tuple[float, bytes]:
    """Send a byte now and then until the other side closes; gives when, and what it said."""
    began, said = time.monotonic(), b""
    connection.settimeout(0.3)
    while time.monotonic() - began < within_s:
        try:
            part = connection.recv(65_536)
            said += part
            if not part:
                return time.monotonic() - began, said
        except TimeoutError:
            with contextlib.suppress(OSError):
                connection.sendall(drip)
        except OSError:
            return time.monotonic() - began, said
    raise AssertionError(f"still open after {within_s} s: {said!r}")


@pytest.mark.parametrize("half", HALVES)
def test_a_half_sent_request_is_ended_however_it_drips(port: int, half: str) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(HALVES[half])
        silent = half in ("nothing", "half a second request")
        drip = b"" if silent else b"\r\n" if half == "no line but its end" else b"x"
        seconds, said = ended(connection, drip, within_s=8)
    assert seconds > 1
    assert (b"408" in said) == (half != "nothing")


def test_a_slow_but_steady_body_is_taken(port: int, clients_csv: bytes) -> None:
    def slowly() -> Iterator[bytes]:
        for start in range(0, len(clients_csv), len(clients_csv) // 6 + 1):
            yield clients_csv[start : start + len(clients_csv) // 6 + 1]
            time.sleep(0.5)

    answer = httpx.post(
        f"http://127.0.0.1:{port}/predict", content=slowly(), headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == 200


def test_a_head_without_end_is_refused(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(HEAD)
        with contextlib.suppress(OSError):
            for number in range(10_000):
                connection.sendall(b"X-%d: %s\r\n" % (number, b"x" * 1000))
        connection.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert b"431" in connection.recv(1000)


@pytest.mark.slow
@pytest.mark.alone
def test_a_thousand_half_sent_requests_are_closed_while_health_answers(
    trained_home: Path, program: Program
) -> None:
    """With the times as they are set by default."""
    with program(trained_home, "api") as (port, _), contextlib.ExitStack() as stack:
        began, worst = time.monotonic(), 0.0
        waiting = []
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}"))
        for number in range(1000):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(list(HALVES.values())[number % len(HALVES)])
            connection.setblocking(False)
            waiting.append(connection)
        while waiting:
            assert time.monotonic() - began < 20, len(waiting)
            asked = time.monotonic()
            assert client.get("/health").status_code == 200
            worst = max(worst, time.monotonic() - asked)
            waiting = [connection for connection in waiting if still_open(connection)]
            time.sleep(0.1)
    assert worst < 1


def still_open(connection: socket.socket) -> bool:
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


@pytest.mark.slow
@pytest.mark.parametrize("declared", [True, False])
def test_a_gigabyte_is_refused_without_being_kept(
    trained_home: Path, program: Program, declared: bool
) -> None:
    total, block = 1_000_000_000, b"x," * 500_000

    def gigabyte() -> Iterator[bytes]:
        for _ in range(total // len(block)):
            yield block
            peaks.append(process.memory_info().rss)

    headers = {"Content-Type": "text/csv"} | ({"Content-Length": str(total)} if declared else {})
    with program(trained_home, "api") as (port, process):
        url = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{url}/health").status_code == 200
        before = process.memory_info().rss
        peaks = [before]
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(f"{url}/predict", content=gigabyte(), headers=headers, timeout=120)
            assert answer.status_code == 413
        assert httpx.get(f"{url}/health").status_code == 200
        peaks.append(process.memory_info().rss)
    assert max(peaks) - before < 100_000_000
