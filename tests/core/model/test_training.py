"""Trainings are repeatable, honest about their held-out rows, and served as they were made."""

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loanapp.core.data.samples import sample_clients
from loanapp.core.data.schema import load_schema
from loanapp.core.errors import TrainingFailed
from loanapp.core.model.bundle import Bundle, save_bundle
from loanapp.core.model.scorer import Scorer
from loanapp.core.model.training import split_rows, train

SCHEMA = load_schema()


def canonical(table):
    """Give drawn clients the types of a validated table."""
    columns = {}
    for field in SCHEMA.fields:
        if field.role == "identifier" or field.name not in table.column_names:
            continue
        column = table[field.name]
        columns[field.name] = (
            column.cast(pa.float64())
            if field.is_numeric
            else column.cast(pa.string()).combine_chunks().dictionary_encode()
        )
    return pa.table(columns)


@pytest.fixture(scope="module")
def data():
    return canonical(sample_clients(SCHEMA, 300, seed=4, missing=0.05))


@pytest.fixture(scope="module")
def trained(data):
    return train(data, SCHEMA, seed=3)


def test_the_same_rows_and_seed_give_the_same_model_bit_for_bit(data, trained):
    again = train(data, SCHEMA, seed=3)
    assert (again.predict(data) == trained.predict(data)).all()
    assert again.evaluation == trained.evaluation


def test_no_client_is_on_both_sides(data):
    doubled = pa.concat_tables([data, data])
    split = split_rows(doubled, SCHEMA, 0.2)
    names = [f.name for f in SCHEMA.features()]
    sides = [set(zip(*side.select(names).to_pydict().values(), strict=True))
             for side in (split.train, split.holdout)]  # fmt: skip
    assert sides[0].isdisjoint(sides[1])
    assert split.train.num_rows + split.holdout.num_rows == 600


def test_lawful_features_leave_the_protected_columns_out(data):
    lawful = train(data, SCHEMA, policy="lawful")
    assert set(lawful.feature_names).isdisjoint(f.name for f in SCHEMA.protected)
    changed = data
    for field in SCHEMA.protected:
        index = changed.column_names.index(field.name)
        nothing = pa.nulls(300, changed.schema.field(index).type)
        changed = changed.set_column(index, field.name, nothing)
    assert (lawful.predict(changed) == lawful.predict(data)).all()


@pytest.mark.parametrize("rows", [0, 5, 19])
def test_too_few_rows_are_refused(data, rows):
    with pytest.raises(TrainingFailed, match="20 rows"):
        train(data.slice(0, rows), SCHEMA)


def test_amounts_that_are_all_the_same_are_refused(data):
    place = data.column_names.index(SCHEMA.target.name)
    flat = data.set_column(place, SCHEMA.target.name, pa.array(np.full(300, 500.0)))
    with pytest.raises(TrainingFailed, match="same"):
        train(flat, SCHEMA)


def test_a_bundle_holds_no_row_of_the_training_file(trained, tmp_path):
    save_bundle(trained, tmp_path / "1")
    incomes = [str(v) for v in trained.split.train["revenu_estime_mois"].to_pylist() if v][:20]
    manifest = (tmp_path / "1" / "manifest.json").read_text()
    assert not [income for income in incomes if income in manifest]


@pytest.fixture(scope="module")
def bundle(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "1"
    save_bundle(trained, folder)
    return Bundle.load(folder)


@pytest.fixture(scope="module")
def graph(bundle):
    return onnxruntime.InferenceSession(bundle.folder / "model.onnx")


def _cell(field):
    if field.is_numeric:
        return st.none() | st.floats(field.minimum, field.maximum, allow_nan=False)
    return st.none() | st.sampled_from([*field.enum, "never seen"])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.fixed_dictionaries({f.name: _cell(f) for f in SCHEMA.features()}),
        min_size=1,
        max_size=20,
    )
)
def test_the_bundle_and_its_graph_score_as_the_pipeline_whatever_the_clients(
    trained, bundle, graph, rows
):
    columns = {
        f.name: pa.array([r[f.name] for r in rows], pa.float64() if f.is_numeric else pa.string())
        for f in SCHEMA.features()
    }
    table = pa.table(columns)
    expected = trained.predict(table)
    np.testing.assert_allclose(bundle.score(table).median(), expected, rtol=1e-6, atol=1e-3)
    given = {
        name: np.array([cell or "" for cell in table[name].to_pylist()], object)
        if pa.types.is_string(table[name].type)
        else np.array(table[name].to_pylist(), np.float64)
        for name in table.column_names
    }
    (amounts, *_) = graph.run(None, given)
    np.testing.assert_allclose(amounts, expected, rtol=1e-6, atol=1e-3)


def test_a_scorer_is_read_as_it_was_written(trained, data):
    scorer = Scorer.of(trained)
    again = Scorer.from_npz(scorer.to_npz())
    assert (again.score(data).median() == scorer.score(data).median()).all()
