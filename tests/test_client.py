"""The REST client: what it does when the other side is not as it should be."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from loanapp.client import ERRORS, Client
from loanapp.core.errors import LoanappError, NoModel, RemoteUnavailable

Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def answering(*answers: Answer | None) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Answer each request with the next answer; None hangs up. The last one is repeated."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            asked.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            answer = answers[min(len(asked), len(answers)) - 1]
            if answer is None:
                self.connection.close()
                return
            status, headers, body = answer
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET  # noqa: N815 - http.server calls them so

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


HTML: Answer = (200, {"Content-Type": "text/html"}, b"<html>a router's log-in</html>")
MOVED: Answer = (307, {"Location": "http://127.0.0.1:1/health"}, b"")
EMPTY_LIST: Answer = (200, {"Content-Type": "application/json"}, b"[]")


def test_nobody_there_is_said_with_the_address() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(RemoteUnavailable) as error:
        client.health()
    assert "http://127.0.0.1:1" in str(error.value)


@pytest.mark.parametrize("answer", [HTML, MOVED, (500, {}, b"oops"), (200, {}, b"{}")])
def test_a_foreign_answer_is_a_remote_that_fails(answer: Answer) -> None:
    with answering(answer) as (url, asked), Client(url) as client:
        calls: list[Callable[[], object]] = [
            client.health,
            client.jobs,
            client.schema,
            lambda: client.predict(io.BytesIO(b"x")),
        ]
        for call in calls:
            with pytest.raises(LoanappError) as error:
                call()
            assert isinstance(error.value, RemoteUnavailable) or call == client.schema
    assert len(asked) == 4


def test_redirects_are_not_followed() -> None:
    with answering(EMPTY_LIST) as (elsewhere, asked_there):
        moved = (307, {"Location": f"{elsewhere}/jobs"}, b"")
        with answering(moved) as (url, _), Client(url) as client, pytest.raises(RemoteUnavailable):
            client.jobs()
    assert asked_there == []


def test_a_question_is_asked_again_where_the_connection_breaks() -> None:
    with answering(None, EMPTY_LIST) as (url, asked), Client(url) as client:
        assert client.jobs() == []
    assert len(asked) == 2


def test_what_changes_something_is_never_sent_twice() -> None:
    with answering(None) as (url, asked), Client(url) as client:
        with pytest.raises(RemoteUnavailable):
            client.rollback()
        with pytest.raises(RemoteUnavailable):
            client.predict(io.BytesIO(b"x"))
    paths = [request["path"].partition("?")[0] for request in asked]
    assert paths == ["/models/rollback", "/predict"]


def test_the_token_goes_along() -> None:
    with answering(EMPTY_LIST) as (url, asked), Client(url, token="secret") as client:
        client.models()
    assert asked[0]["authorization"] == "Bearer secret"


def test_every_error_comes_back_as_what_it_was() -> None:
    for code, kind in ERRORS.items():
        body = b'{"type": "urn:problem-type:loanapp:%s", "detail": "so", "status": 400}'
        answer = (400, {"Content-Type": "application/problem+json"}, body % code.encode())
        with answering(answer) as (url, _), Client(url) as client:
            with pytest.raises(kind) as error:
                client.rollback()
            assert str(error.value) == "so"


def test_a_version_cannot_lead_to_another_address() -> None:
    with (
        answering((404, {}, b"")) as (url, asked),
        Client(url) as client,
        pytest.raises(RemoteUnavailable),
    ):
        client.promote("../jobs?x=1#")
    assert asked[0]["path"] == "/models/..%2Fjobs%3Fx%3D1%23/promote"


def test_a_broken_event_stream_is_taken_up_again() -> None:
    def state(name: str) -> bytes:
        return b'{"id": "a", "state": "%s"}' % name.encode()

    running = (200, {"Content-Type": "application/json"}, state("running"))
    stream = (200, {"Content-Type": "text/event-stream"}, b"event: job\ndata: %s\n\n")
    half = (*stream[:2], stream[2] % b'{"id": "a", "state": "running", "epoch": 3}')
    done = (*stream[:2], stream[2] % state("finished"))
    with answering(running, half, running, done) as (url, _), Client(url) as client:
        states = [(job.state, job.epoch) for job in client.follow("a")]
    assert states[:2] == [("running", 0), ("running", 3)]
    assert states[-1] == ("finished", 0)


def test_no_model_is_no_model(
    empty_service: object, listening: Callable[..., AbstractContextManager[str]]
) -> None:
    from loanapp.api.app import create_app

    app = create_app(empty_service, empty_service.settings)  # type: ignore[arg-type, attr-defined]
    with listening(app) as url, Client(url) as client, pytest.raises(NoModel):
        client.predict_records([{}])
