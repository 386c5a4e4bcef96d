"""Names and cells stay with whoever sent them: nothing that is kept or counted holds them."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from loanapp.api.app import create_app
from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import Schema
from loanapp.core.logs import JsonFormatter, TextFormatter, configure_logging
from loanapp.core.service import Service
from loanapp.core.settings import Settings

NAME, SURNAME, REMARK, CELL = "Ysengrine", "Quenouillard", "Xylophagie", "Zwanzigtausend"
INCOME = "4 321,77 €"
SENTINELS = (NAME, SURNAME, REMARK, CELL, "4321.77", INCOME)


def marked(schema: Schema, *, target: bool) -> list[dict[str, str]]:
    """Clients whose names, remarks and some of whose cells are like nobody else's."""
    text = sample_csv(schema, 120, seed=3, target=target).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    for number, row in enumerate(rows):
        row |= {"prenom": f"{NAME}{number}", "nom": SURNAME, "remarque": REMARK}
        row["sexe"] = f" {row['sexe'].lower()} "
        if number % 3 == 0:
            row["revenu_estime_mois"] = INCOME
    return rows


def as_csv(rows: list[dict[str, str]]) -> bytes:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode()


def everything_kept(home: Path) -> Iterator[tuple[str, bytes]]:
    for path in home.rglob("*"):
        if path.suffix == ".parquet":
            yield str(path), repr(pq.read_table(path).drop_columns(NUMBERS).to_pydict()).encode()
        elif path.is_file():
            yield str(path), path.read_bytes()


# What a model is trained on is kept for the next one, without what names a person.
NUMBERS = ["age", "taille", "poids", "revenu_estime_mois", "montant_pret"]


@pytest.fixture
def left_behind(
    tmp_path: Path, make_settings: Callable[..., Settings], schema: Schema
) -> dict[str, bytes]:
    """Train and predict with marked clients, well and badly; give all that stays."""
    settings = make_settings(tmp_path / "home", log_level="DEBUG")
    configure_logging(settings, "api", terminal=False)
    good, clients = marked(schema, target=True), marked(schema, target=False)
    bad = [{**row, "age": CELL, "region": CELL} for row in clients]
    with (
        closing(Service(settings)) as service,
        TestClient(create_app(service, settings), raise_server_exceptions=False) as client,
    ):
        trained = client.post("/train", files={"file": ("clients.csv", as_csv(good))})
        assert trained.status_code == 200, trained.text
        for path in ("/train", "/predict", "/inspect"):
            assert client.post(path, content=as_csv(bad)).status_code in (200, 422)
        assert client.post("/predict?skip_invalid=true", content=as_csv(bad)).is_success
        assert client.post("/predict", content=as_csv(clients)).status_code == 200
        assert client.post("/predict", json={"clients": clients}).status_code == 200
        assert client.post("/predict", json={"clients": bad}).status_code == 422
        assert client.get(f"/jobs/{NAME}").status_code == 404
        assert client.get(f"/models?name={NAME}").status_code == 200
        counted = client.get("/metrics").content
    for handler in logging.getLogger("loanapp").handlers:
        handler.flush()
    return {**dict(everything_kept(settings.home)), "/metrics": counted}


def test_no_name_and_no_cell_is_kept_or_counted(left_behind: dict[str, bytes]) -> None:
    places = [path.rpartition("home/")[2] for path in left_behind]
    for expected in ("mlflow.db", "logs/api.log", "logs/training.log", "/metrics"):
        assert expected in places
    assert any(place.endswith("input_example.json") for place in places)
    assert any(place.startswith("jobs/") for place in places)
    found = {
        (sentinel, path)
        for path, content in left_behind.items()
        for sentinel in SENTINELS
        if sentinel.encode() in content or sentinel.lower().encode() in content
    }
    assert not found


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter("api")])
def test_a_logged_error_says_where_and_not_what(formatter: logging.Formatter) -> None:
    """The message of an error may hold the cell that it stumbled over."""
    try:
        try:
            float(CELL)
        except ValueError as error:
            raise RuntimeError(f"not a number: {CELL}") from error
    except RuntimeError:
        import sys

        record = logging.LogRecord("x", logging.ERROR, "", 1, "failed", None, sys.exc_info())
    line = formatter.format(record)
    assert CELL not in line
    assert "RuntimeError" in line
    assert "ValueError" in line
    assert "test_leaks.py" in line
