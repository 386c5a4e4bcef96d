"""The whole way on one core: any lender's contract, one model everywhere, no name told."""

import io
import json
import subprocess
import sys
import time

import numpy as np
import pytest

from loanapp.core.answers import TrainingOptions
from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import load_schema
from loanapp.core.errors import InvalidTable, NoModel
from loanapp.core.service import Service

RENTS = {
    "fields": [
        {"name": "surface", "type": "number", "typical": [10, 200], "unit": "m²"},
        {"name": "quartier", "type": "string"},
        {"name": "garden", "type": "boolean", "role": "protected"},
        {"name": "rooms", "type": "integer", "constraints": {"minimum": 1, "maximum": 9}},
        {
            "name": "rent",
            "type": "number",
            "role": "target",
            "cut": None,
            "typical": [300, 3000],
        },
    ]
}


def test_a_file_gets_an_amount_an_interval_and_an_expected_amount_for_each_row(
    service, clients_csv
):
    prediction = service.predict(io.BytesIO(clients_csv))
    assert prediction.amounts.shape == (200,)
    assert (prediction.lower <= prediction.amounts).all()
    assert (prediction.amounts <= prediction.upper).all()
    assert ((prediction.expected >= 500) & (prediction.expected <= 40_000)).all()
    assert prediction.model_version == "1"
    assert prediction.clients.num_rows == 200


def test_the_same_client_has_the_same_amount_in_a_file_and_alone(service, schema, clients_csv):
    import csv

    whole = service.predict(io.BytesIO(clients_csv)).amounts
    records = list(csv.DictReader(io.StringIO(clients_csv.decode())))
    typed = [
        {k: float(v) if schema.by_name[k].is_numeric else v for k, v in r.items()} for r in records
    ]
    alone = np.array([service.predict_records([r]).amounts[0] for r in typed])
    np.testing.assert_allclose(alone, whole, rtol=1e-6)


def test_without_a_model_predicting_says_what_to_do(empty_service, clients_csv):
    with pytest.raises(NoModel, match="train"):
        empty_service.predict(io.BytesIO(clients_csv))
    assert empty_service.health().status == "no_model"
    assert not empty_service.ready
    assert empty_service.models() == []
    assert empty_service.history() == []


def test_skipping_invalid_rows_keeps_the_places_of_the_others(service, clients_csv):
    lines = clients_csv.splitlines()
    lines[3] = lines[3].replace(b",H,", b",X,").replace(b",F,", b",X,")
    broken = b"\n".join(lines)
    with pytest.raises(InvalidTable) as refused:
        service.predict(io.BytesIO(broken))
    assert refused.value.report.problems[0].row == 4
    prediction = service.predict(io.BytesIO(broken), skip_invalid=True)
    whole = service.predict(io.BytesIO(clients_csv))
    assert np.flatnonzero(np.isnan(prediction.amounts)).tolist() == [2]
    kept = ~np.isnan(prediction.amounts)
    np.testing.assert_allclose(prediction.amounts[kept], whole.amounts[kept], rtol=1e-6)
    assert prediction.rejected.rows == 1


def test_a_file_is_inspected_without_being_used(service, training_csv, clients_csv):
    good = service.inspect(io.BytesIO(training_csv), "train")
    assert good.valid
    assert {c.name for c in good.profile} >= {service.schema().target.name}
    bad = service.inspect(io.BytesIO(clients_csv), "train")
    assert not bad.valid
    assert bad.report.problems[0].column == service.schema().target.name


def test_a_version_shows_its_pictures(service):
    details = service.model("1")
    assert len(details.evaluation.actual) == details.evaluation.holdout_rows
    assert 0.5 < details.evaluation.coverage <= 1
    assert details.evaluation.baseline.mae > details.evaluation.metrics.mae
    assert len(details.profile) == 11


def test_another_lender_s_contract_trains_and_predicts_without_a_change_of_code(
    tmp_path, make_settings
):
    contract = tmp_path / "rents.json"
    contract.write_text(json.dumps(RENTS), "utf-8")
    schema = load_schema(contract)
    service = Service(make_settings(tmp_path / "home", data_schema=contract))
    file = io.BytesIO(sample_csv(schema, 200, seed=1, missing=0.1))
    job = service.start_training(file, TrainingOptions())
    *_, ended = service.follow(job.id)
    assert ended.state == "finished", ended.reason
    clients = io.BytesIO(sample_csv(schema, 20, seed=2, target=False))
    amounts = service.predict(clients).amounts
    assert np.isfinite(amounts).all()
    assert len(set(amounts.round(2))) > 10
    service.close()


def test_a_serving_process_never_imports_tensorflow_mlflow_pandas_or_scikit_learn(
    home, clients_csv, tmp_path
):
    (tmp_path / "clients.csv").write_bytes(clients_csv)
    code = f"""
import sys
from pathlib import Path
from loanapp.core.service import Service
from loanapp.core.settings import Settings
service = Service(Settings(home=Path({str(home)!r}), _env_file=None))
with open({str(tmp_path / "clients.csv")!r}, "rb") as file:
    assert service.predict(file).model_version == "1"
service.models(), service.history(), service.health()
service.close()
heavy = {{"tensorflow", "keras", "mlflow", "pandas", "sklearn", "streamlit", "matplotlib"}}
print(*heavy & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_what_another_process_promotes_is_served_soon(
    two_versions_home, tmp_path, copying, make_settings, clients_csv
):
    home = copying(two_versions_home, tmp_path / "home")
    here, there = Service(make_settings(home)), Service(make_settings(home))
    assert here.predict(io.BytesIO(clients_csv)).model_version == "2"
    there.promote("1")
    deadline = time.monotonic() + 60
    while here.predict(io.BytesIO(clients_csv)).model_version != "1":
        assert time.monotonic() < deadline
    here.close()
    there.close()


def test_a_file_with_columns_of_the_same_name_is_scored_and_given_back(service, clients_csv):
    lines = clients_csv.splitlines()
    doubled = b"\n".join([lines[0] + b",note,note", *(line + b",a,b" for line in lines[1:])])
    prediction = service.predict(io.BytesIO(doubled))
    assert prediction.clients.column_names[-2:] == ["note", "note"]
    assert prediction.amounts.shape == (200,)


def test_a_file_of_which_every_row_is_refused_gives_no_amount(service, clients_csv):
    broken = clients_csv.replace(b",F,", b",X,").replace(b",H,", b",X,")
    prediction = service.predict(io.BytesIO(broken), skip_invalid=True)
    assert np.isnan(prediction.amounts).all()
    assert prediction.amounts.shape == (200,)
    assert prediction.rejected.rows == 200
