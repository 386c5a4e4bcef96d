"""The pages stay thin, name no column, and draw whatever a contract says."""

from __future__ import annotations

import ast
import io
import json
from contextlib import closing

import pytest

from loanapp.core.answers import TrainingOptions
from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import load_schema
from loanapp.core.service import Service
from loanapp.ui.navigation import ENTRY, pages_folder

MOST_LINES = 60
SCRIPTS = sorted(pages_folder().glob("*.py"))
CRANES = {
    "fields": [
        {"name": "tonnage", "type": "number", "typical": [1, 90], "unit": "t",
         "labels": {"fr": "Tonnage", "en": "Tonnage"}},
        {"name": "chantier", "type": "string"},
        {"name": "occasion", "type": "boolean", "role": "protected",
         "labels": {"fr": "D’occasion", "en": "Second hand"}},
        {"name": "moteurs", "type": "integer", "constraints": {"minimum": 1, "maximum": 6}},
        {"name": "loyer", "type": "number", "role": "target", "cut": None, "typical": [1, 9],
         "unit": "k€", "labels": {"fr": "Loyer", "en": "Rent"}},
    ]
}  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_page_is_thin(script):
    assert len(script.read_text("utf-8").splitlines()) <= MOST_LINES


def test_no_column_of_the_contract_is_named_in_the_code(schema):
    folder = ENTRY.parent
    named = {
        f"{path.name}: {node.value}"
        for path in [*SCRIPTS, *folder.rglob("*.py")]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in schema.by_name
    }
    assert not named


@pytest.mark.slow
@pytest.mark.soak
def test_another_lender_s_contract_draws_every_page(tmp_path, make_settings, visiting):
    contract = tmp_path / "cranes.json"
    contract.write_text(json.dumps(CRANES), "utf-8")
    schema = load_schema(contract)
    settings = make_settings(tmp_path / "home", data_schema=contract)
    with closing(Service(settings)) as service:
        file = io.BytesIO(sample_csv(schema, 200, seed=1))
        *_, ended = service.follow(service.start_training(file, TrainingOptions()).id)
        assert ended.result, ended.reason
        session = visiting(service)
        session.open("predict").click("predict_sample").click("predict")
        assert "Loyer (k€)" in {slider.label for slider in session.test.slider}
        session.open("simulate")
        assert "Tonnage (t)" in {slider.label for slider in session.test.slider}
        assert session.test.text_input(key="a_chantier")
        assert session.test.selectbox(key="a_occasion").options
        (metric,) = session.test.metric
        assert metric.label == "Loyer"
        assert metric.value.endswith("k€")
        for page in ("home", "models", "settings", "train"):
            session.open(page)
