"""A challenger goes live only if it is not really worse; real trainings, judged on many clients."""

import numpy as np
import pyarrow as pa
import pytest

from loanapp.core.challenge import compare_with, protected_groups, split_again, thirds
from loanapp.core.data.samples import sample_clients
from loanapp.core.data.schema import load_schema
from loanapp.core.model.bundle import Bundle, save_bundle
from loanapp.core.model.scorer import Scorer
from loanapp.core.model.training import Split, split_rows, train, unseen
from loanapp.core.store.decision import decide

SCHEMA = load_schema()
TARGET = SCHEMA.target.name
ROWS, MARGIN_PCT = 300, 2.0


def clients(rows, seed):
    """Draw clients with the types of a validated table."""
    drawn = sample_clients(SCHEMA, rows, seed)
    columns = {}
    for field in SCHEMA.fields:
        if field.role == "identifier":
            continue
        kind = pa.float64() if field.is_numeric else pa.string()
        columns[field.name] = drawn[field.name].cast(kind)
    return pa.table(columns)


def shuffled(data, seed):
    amounts = np.random.default_rng(seed).permutation(data[TARGET].to_numpy())
    return data.set_column(data.column_names.index(TARGET), TARGET, pa.array(amounts))


class Ring:
    """A champion, and the many clients on whom every model is really measured."""

    def __init__(self, folder):
        self._truth = clients(40_000, 999)
        self.trained = train(clients(ROWS, 1_000), SCHEMA)
        save_bundle(self.trained, folder / "1")
        self.champion = Bundle.load(folder / "1")
        self.error = self.error_of(self.champion.scorer)

    def error_of(self, scorer):
        amounts = scorer.score(self._truth).median()
        return float(np.abs(amounts - self._truth[TARGET].to_numpy()).mean())

    def fight(self, data, seed=0):
        """Give whether a challenger trained on these clients goes live, and its real error."""
        trained = train(data, SCHEMA, seed=seed)
        scorer = Scorer.of(trained)
        compared = compare_with(self.champion, self.trained.split, scorer, trained.split, SCHEMA)
        live, _ = decide("better", "1", *compared, MARGIN_PCT)
        return live, self.error_of(scorer)


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    return Ring(tmp_path_factory.mktemp("ring"))


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.timeout(900)
def test_of_fifty_retrainings_none_that_is_really_worse_goes_live(ring):
    fights = [ring.fight(clients(ROWS, seed), seed) for seed in range(50)]
    allowed = ring.error * (1 + MARGIN_PCT / 100)
    assert sum(error > allowed for _, error in fights) >= 5, "the fights must be real"
    assert [error for live, error in fights if live and error > allowed] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_that_is_really_better_goes_live(ring):
    live, error = ring.fight(clients(4_000, 77))
    assert error < ring.error * 0.95
    assert live


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(6))
def test_one_that_learned_shuffled_amounts_never_goes_live(ring, seed):
    """New clients, or the champion's own: on their own file its errors look small."""
    data = clients(ROWS, 1_000 if seed % 2 else 500 + seed)
    live, error = ring.fight(shuffled(data, seed), seed)
    assert error > ring.error * 1.2
    assert not live


def test_rows_that_the_other_model_was_trained_on_do_not_count():
    data = clients(200, 3)
    new, its = split_rows(data, SCHEMA, 0.5), split_rows(data, SCHEMA, 0.2)
    fair = unseen(new.holdout, its.train, SCHEMA)
    assert fair.num_rows == its.holdout.num_rows < new.holdout.num_rows
    fewer_columns = its.train.drop_columns(["region"])
    assert unseen(new.holdout, fewer_columns, SCHEMA).num_rows == fair.num_rows
    assert unseen(its.train, its.train, SCHEMA).num_rows == 0


def test_models_without_a_row_that_both_have_not_seen_cannot_be_compared(service):
    bundle = service._predictor.current().bundle
    data = clients(100, 4)
    everything = Split(data, data)
    compared = compare_with(bundle, everything, bundle.scorer, everything, SCHEMA)
    assert compared == (None, None)


def test_a_version_s_rows_are_divided_as_they_were_for_it(service):
    model = service.models()[0]
    bundle = service._predictor.current().bundle
    rows = service._registry.rows_of(model)
    again = split_again(rows, bundle)
    expected = split_rows(rows, SCHEMA, service.settings.holdout_share)
    assert again.train.equals(expected.train)
    assert again.holdout.equals(expected.holdout)


def test_every_protected_column_has_its_groups():
    groups = protected_groups(clients(90, 5), SCHEMA)
    assert set(groups) == {field.name for field in SCHEMA.protected}
    assert all(len(np.unique(np.asarray(g, str))) > 1 for g in groups.values())


def test_thirds_are_even_and_missing_values_a_group_of_their_own():
    named = thirds(np.array([1.0, 2, 3, 4, 5, 6, np.nan]))
    assert named.tolist() == [
        *["1/3: ≤ 2.667"] * 2,
        *["2/3: 2.667 – 4.333"] * 2,
        *["3/3: > 4.333"] * 2,
        None,
    ]
    assert thirds(np.array([np.nan, np.nan])).tolist() == [None, None]
    assert set(thirds(np.array([7.0, 7.0]))) == {"1/3: ≤ 7"}
