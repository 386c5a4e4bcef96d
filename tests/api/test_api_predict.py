"""POST /predict and /inspect: every way in and every way out."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from loanapp.core import transfer
from loanapp.core.answers import PREDICTION_COLUMNS
from loanapp.core.data.schema import Schema
from loanapp.core.service import Service

CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def expected(service: Service, clients_csv: bytes) -> list[float]:
    return service.predict(io.BytesIO(clients_csv)).amounts.tolist()


def test_a_form_and_a_raw_body_give_the_same_amounts(
    api_client: TestClient, clients_csv: bytes, expected: list[float]
) -> None:
    form = api_client.post("/predict", files={"file": ("clients.csv", clients_csv)}).json()
    raw = api_client.post("/predict", content=clients_csv, headers=CSV).json()
    assert form["predictions"] == raw["predictions"] == pytest.approx(expected, rel=1e-12)
    assert form["n_rows"] == 200
    assert form["model_version"] == "1"


@pytest.mark.parametrize("content_type", ["application/octet-stream", "text/plain", ""])
def test_a_file_is_taken_under_any_content_type(
    api_client: TestClient, clients_csv: bytes, content_type: str
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = api_client.post("/predict", content=clients_csv, headers=headers)
    assert answer.json()["n_rows"] == 200


def test_clients_as_json_give_the_amounts_of_the_file(
    api_client: TestClient, clients_csv: bytes, expected: list[float]
) -> None:
    clients = list(csv.DictReader(io.StringIO(clients_csv.decode())))[:20]
    answer = api_client.post("/predict", json={"clients": clients}).json()
    assert answer["predictions"] == pytest.approx(expected[:20], abs=1e-3)


@pytest.mark.parametrize("count", [1, 16, 17])
@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_few_clients_get_the_same_answer_by_the_short_way_and_by_the_long_one(
    api_client: TestClient, clients_csv: bytes, count: int, accept: str
) -> None:
    clients = list(csv.DictReader(io.StringIO(clients_csv.decode())))[:count]
    headers = {"Accept": accept}
    short = api_client.post("/predict", json={"clients": clients}, headers=headers)
    long = api_client.post("/predict?interval=false", json={"clients": clients}, headers=headers)
    assert short.status_code == long.status_code == 200
    assert short.content == long.content
    own = {"x-request-id"}
    assert {*short.headers.items()} ^ {*long.headers.items()} == {
        (name, answer.headers[name]) for answer in (short, long) for name in own
    }


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"clients": [1]}', b'{"clients": [{}]}'])
def test_bad_json_is_refused_by_the_short_way_as_by_the_long_one(
    api_client: TestClient, body: bytes
) -> None:
    headers = {"Content-Type": "application/json", "X-Request-ID": "one"}
    short = api_client.post("/predict", content=body, headers=headers)
    long = api_client.post("/predict?interval=false", content=body, headers=headers)
    assert short.status_code == long.status_code
    assert 400 <= short.status_code < 500
    assert short.json() == long.json()


def test_the_short_way_is_counted_under_its_route(api_client: TestClient) -> None:
    api_client.post("/predict", json={"clients": []})
    assert 'route="/predict"' in api_client.get("/metrics").text


def test_the_interval_comes_when_asked_for(api_client: TestClient, clients_csv: bytes) -> None:
    plain = api_client.post("/predict", content=clients_csv, headers=CSV).json()
    wide = api_client.post("/predict?interval=true", content=clients_csv, headers=CSV).json()
    assert "lower" not in plain
    assert len(wide["lower"]) == len(wide["upper"]) == len(wide["expected"]) == 200
    assert all(
        low <= amount <= high
        for low, amount, high in zip(wide["lower"], wide["predictions"], wide["upper"], strict=True)
    )


def test_csv_is_the_file_with_the_amount_added(
    api_client: TestClient, clients_csv: bytes, expected: list[float]
) -> None:
    answer = api_client.post(
        "/predict",
        files={"file": ("données.csv", clients_csv)},
        headers={"Accept": "text/csv"},
    )
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["x-model-version"] == "1"
    assert "donn%C3%A9es-predictions.csv" in answer.headers["content-disposition"]
    before = list(csv.DictReader(io.StringIO(clients_csv.decode())))
    after = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    added = PREDICTION_COLUMNS["amounts"]
    assert list(after[0]) == [*before[0], added]
    assert [float(row[added]) for row in after] == pytest.approx(expected, abs=1e-6)
    name = next(iter(before[0]))
    assert [row[name] for row in after] == [row[name] for row in before]


def test_arrow_rebuilds_the_prediction(
    api_client: TestClient, service: Service, clients_csv: bytes
) -> None:
    answer = api_client.post(
        "/predict", content=clients_csv, headers={**CSV, "Accept": transfer.MEDIA_TYPE}
    )
    there, here = transfer.from_arrow(answer.content), service.predict(io.BytesIO(clients_csv))
    np.testing.assert_array_equal(there.amounts, here.amounts)
    np.testing.assert_array_equal(there.expected, here.expected)
    assert there.clients.equals(here.clients)
    assert (there.model_version, there.report.rows) == (here.model_version, 200)
    with pa.ipc.open_stream(answer.content) as reader:
        assert reader.schema.names[-4:] == list(PREDICTION_COLUMNS.values())


def test_skipping_invalid_rows_keeps_the_places_of_the_others(
    api_client: TestClient, clients_csv: bytes, expected: list[float], schema: Schema
) -> None:
    broken = break_row(clients_csv, schema, row=3)
    refused = api_client.post("/predict", content=broken, headers=CSV)
    answer = api_client.post("/predict?skip_invalid=true", content=broken, headers=CSV).json()
    assert refused.status_code == 422
    assert answer["predictions"][3] is None
    rest = [v for i, v in enumerate(answer["predictions"]) if i != 3]
    assert rest == pytest.approx(expected[:3] + expected[4:], rel=1e-6)
    assert (answer["invalid_rows"], answer["problem_count"], len(answer["rejected"])) == (1, 1, 1)
    assert answer["problems"][0]["row"] == 5
    (refused_row,) = answer["rejected"]
    assert (refused_row["row"], refused_row["position"]) == (5, 3)
    assert "beaucoup" in refused_row["cells"].values()
    assert refused_row["reason"]


def test_without_a_model_predicting_says_to_train(
    empty_api_client: TestClient, clients_csv: bytes
) -> None:
    answer = empty_api_client.post("/predict", content=clients_csv, headers=CSV)
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("no-model")
    assert int(answer.headers["retry-after"]) > 0


def test_inspecting_a_bad_file_is_an_answer(
    api_client: TestClient, clients_csv: bytes, training_csv: bytes
) -> None:
    def inspect(file: bytes, purpose: str) -> Any:
        return api_client.post(f"/inspect?purpose={purpose}", content=file, headers=CSV).json()

    assert inspect(clients_csv, "predict")["valid"] is True
    assert inspect(training_csv, "train")["valid"] is True
    unusable = inspect(clients_csv, "train")
    assert unusable["valid"] is False
    assert unusable["report"]["problem_count"] == 1
    assert inspect(clients_csv, "predict")["profile"]


def test_a_long_answer_is_json_to_its_last_byte(
    api_client: TestClient, service: Service, schema: Schema
) -> None:
    header, *rows = make_rows(schema, 25_000)
    answer = api_client.post("/predict", content="".join([header, *rows]).encode(), headers=CSV)
    assert "content-length" not in answer.headers
    assert answer.json()["n_rows"] == len(answer.json()["predictions"]) == 25_000


@pytest.mark.parametrize("accept", ["application/json", "text/csv", transfer.MEDIA_TYPE])
def test_a_long_file_is_refused_for_its_last_row_before_anything_is_sent(
    api_client: TestClient, schema: Schema, accept: str
) -> None:
    file = "".join([*make_rows(schema, 70_000), "short,row\n"]).encode()
    answer = api_client.post("/predict", content=file, headers={**CSV, "Accept": accept})
    assert answer.status_code == 422
    assert [problem["row"] for problem in answer.json()["problems"]] == [70_002]


def test_a_long_file_gets_the_same_amounts_in_every_form(
    api_client: TestClient, schema: Schema
) -> None:
    file = "".join(make_rows(schema, 70_000)).encode()
    as_json, as_csv, as_arrow = (
        api_client.post("/predict", content=file, headers={**CSV, "Accept": accept})
        for accept in ("application/json", "text/csv", transfer.MEDIA_TYPE)
    )
    amounts = transfer.from_arrow(as_arrow.content).amounts
    assert as_json.json()["predictions"] == amounts.tolist()
    rows = csv.DictReader(io.StringIO(as_csv.text))
    added = PREDICTION_COLUMNS["amounts"]
    assert [float(row[added]) for row in rows] == amounts.tolist()


def make_rows(schema: Schema, n: int) -> list[str]:
    from loanapp.core.data.samples import sample_csv

    lines = sample_csv(schema, 500, seed=3, target=False).decode().splitlines(keepends=True)
    return [lines[0], *(lines[1 + i % 500] for i in range(n))]


def break_row(file: bytes, schema: Schema, row: int) -> bytes:
    """Put a text where the contract wants a number."""
    rows = list(csv.reader(io.StringIO(file.decode())))
    column = next(f.name for f in schema.features() if f.is_numeric)
    rows[row + 1][rows[0].index(column)] = "beaucoup"
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
