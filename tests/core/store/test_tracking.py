"""A training leaves in MLflow all that a data scientist looks for there."""

import pytest

from loanapp.core.home import Home
from loanapp.core.store.connection import connect
from loanapp.core.store.uri import tracking_uri


@pytest.fixture(scope="module")
def client(trained_home):
    return connect(tracking_uri(Home(trained_home), None))


@pytest.fixture(scope="module")
def run(client):
    version = client.get_model_version_by_alias("loanapp", "champion")
    return client.get_run(version.run_id)


def test_the_run_has_metrics_of_the_held_out_rows(run):
    assert {"MAE", "MSE", "R2", "coverage_90"} <= set(run.data.metrics)
    assert run.data.metrics["MAE"] > 0
    assert run.info.status == "FINISHED"


def test_the_loss_of_each_epoch_is_there(client, run):
    losses = client.get_metric_history(run.info.run_id, "loss")
    val_losses = client.get_metric_history(run.info.run_id, "val_loss")
    assert [m.step for m in losses] == list(range(1, len(losses) + 1))
    assert len(val_losses) == len(losses) > 0


def test_parameters_and_data_are_there(run, training_csv):
    rows = int(run.data.params["train_rows"]) + int(run.data.params["holdout_rows"])
    assert rows == training_csv.count(b"\n") - 1
    dataset = run.inputs.dataset_inputs[0].dataset
    assert len(dataset.digest) == 36


def test_pictures_bundle_and_data_are_artefacts(client, run):
    names = {a.path for a in client.list_artifacts(run.info.run_id)}
    assert {"training_curve.png", "predicted_vs_actual.png", "bundle", "data"} <= names


def test_no_name_of_a_person_reaches_the_store(client, run, schema, tmp_path):
    import pyarrow.parquet as pq

    data = client.download_artifacts(run.info.run_id, "data", str(tmp_path))
    for file in __import__("pathlib").Path(data).glob("*.parquet"):
        assert not {f.name for f in schema.identifiers} & set(pq.read_schema(file).names)


def test_artefacts_lie_in_the_home_whatever_the_working_directory(client, trained_home):
    experiment = client.get_experiment_by_name("loanapp")
    assert experiment.artifact_location == (trained_home / "mlruns").as_uri()


def test_the_model_loads_with_mlflow_and_predicts_what_the_server_predicts(
    client, run, trained_home, schema, clients_csv, make_settings
):
    import io

    import mlflow
    import numpy as np

    from loanapp.core.data.table import read_table
    from loanapp.core.service import Service

    mlflow.set_tracking_uri(tracking_uri(Home(trained_home), None))
    version = client.get_model_version_by_alias("loanapp", "champion")
    model = mlflow.sklearn.load_model(f"models:/loanapp/{version.version}")
    features = [f.name for f in schema.features()]
    table = read_table(io.BytesIO(clients_csv), schema, required=features)
    service = Service(make_settings(trained_home))
    served = service.predict(io.BytesIO(clients_csv)).amounts
    service.close()
    np.testing.assert_allclose(model.predict(table.to_pandas()), served, rtol=1e-6, atol=1e-3)
