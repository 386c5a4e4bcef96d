"""Traces go where OpenTelemetry's variables say, name nobody, and continue the caller's."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from loanapp.api import tracing
from loanapp.core.service import Service

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """An OTLP collector: gives its address and what it has been sent."""
    received: list[ExportTraceServiceRequest] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()


def test_a_request_is_a_span_of_the_callers_trace(
    service: Service,
    calling: Callable[..., AbstractContextManager[TestClient]],
    clients_csv: bytes,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    headers = {"Content-Type": "text/csv", "traceparent": f"00-{TRACE}-{PARENT}-01"}
    with collector() as (url, received):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        with calling(service) as api, caplog.at_level("INFO", "loanapp.api"):
            assert api.post("/predict", content=clients_csv, headers=headers).status_code == 200
            assert api.get("/models/Camille?name=Dupont").status_code in (404, 422)
            assert api.get("/Camille").status_code == 404
            assert api.get("/health").status_code == 200
        tracing.flush()
        provider = tracing._provider()
        provider.shutdown()
        tracing._provider.cache_clear()
    spans = [
        span
        for request in received
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert [span.name for span in spans] == ["POST /predict", "GET /models/{version}", "GET"]
    predicted = spans[0]
    assert (predicted.trace_id.hex(), predicted.parent_span_id.hex()) == (TRACE, PARENT)
    assert _facts(predicted)["http.response.status_code"] == 200
    assert _facts(predicted)["loanapp.request_id"]
    resource = _facts(received[0].resource_spans[0].resource)
    assert (resource["service.name"], resource["deployment.environment.name"]) == (
        "loanapp", "test",
    )  # fmt: skip
    assert not any(name in str(request) for request in received for name in ("Camille", "Dupont"))
    assert TRACE in {vars(record).get("trace_id") for record in caplog.records}


def _facts(holder: Any) -> dict[str, Any]:
    return {a.key: a.value.string_value or a.value.int_value for a in holder.attributes}
