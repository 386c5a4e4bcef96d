"""The preprocessing made from a contract."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from loanapp.core.data.schema import Schema, parse_schema
from loanapp.core.model.features import MOST_CATEGORIES, make_features

AMOUNT = {"name": "amount", "type": "number", "role": "target"}


def contract(*fields: dict[str, Any]) -> Schema:
    return parse_schema({"fields": [*fields, AMOUNT]})


@pytest.fixture
def plain() -> Schema:
    return contract(
        {"name": "size", "type": "number"},
        {"name": "tone", "type": "string", "constraints": {"enum": ["low", "mid", "high"]}},
        {"name": "town", "type": "string"},
        {"name": "own", "type": "boolean", "role": "protected"},
    )


@pytest.fixture
def clients() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "size": [1.0, 2.0, 3.0, np.nan] * 6,
            "tone": ["low", "mid", "low", None] * 6,
            "town": ["a"] * 10 + ["b"] * 10 + ["c", "d", None, None],
            "own": ["true", "false"] * 12,
        }
    )


def column(made: Any, rows: pd.DataFrame, name: str) -> list[float]:
    place = list(made.get_feature_names_out()).index(name)
    return [float(v) for v in made.transform(rows)[:, place]]


def test_a_missing_number_becomes_the_median_and_is_marked(
    plain: Schema, clients: pd.DataFrame
) -> None:
    made = make_features(plain).fit(clients)
    assert column(made, clients[:4], "number__size") == [-2, 0, 2, 0]
    assert column(made, clients[:4], "gap__missingindicator_size") == [0, 0, 0, 1]


def test_a_category_out_of_the_contract_or_missing_is_neither_of_the_known(
    plain: Schema, clients: pd.DataFrame
) -> None:
    made = make_features(plain).fit(clients)
    clients.loc[:2, "tone"] = ["high", "unheard of", None]
    assert column(made, clients[:3], "category__tone_high") == [1, 0, 0]
    assert column(made, clients[:3], "category__tone_low") == [0, 0, 0]


def test_rare_and_new_texts_share_a_column(plain: Schema, clients: pd.DataFrame) -> None:
    made = make_features(plain).fit(clients)
    clients.loc[:3, "town"] = ["c", "never seen", None, "b"]
    shared = "text__town_infrequent_sklearn"
    assert column(made, clients[:4], shared) == [1, 1, 1, 0]
    assert column(made, clients[:4], "text__town_b") == [0, 0, 0, 1]


def test_the_lawful_policy_leaves_protected_columns_out(
    plain: Schema, clients: pd.DataFrame
) -> None:
    lawful = make_features(plain, "lawful").fit(clients)
    assert not [n for n in lawful.get_feature_names_out() if "__own" in n]
    assert [n for n in make_features(plain).fit(clients).get_feature_names_out() if "__own" in n]


def test_thousands_of_categories_stay_few_columns() -> None:
    towns = pd.DataFrame({"town": [f"t{i}" for i in range(1500)] * 6})
    made = make_features(contract({"name": "town", "type": "string"}))
    assert made.fit_transform(towns).shape == (9000, MOST_CATEGORIES)


def test_an_empty_and_a_constant_column_give_finite_numbers() -> None:
    made = make_features(contract({"name": "a", "type": "number"}, {"name": "b", "type": "number"}))
    rows = pd.DataFrame({"a": [np.nan] * 9, "b": [7.0] * 9})
    out = made.fit_transform(rows)
    assert out.dtype == np.float64
    assert np.isfinite(out).all()
    rows.loc[0] = [3.0, np.nan]
    assert np.isfinite(made.transform(rows)).all()


def test_columns_may_come_in_any_order(plain: Schema, clients: pd.DataFrame) -> None:
    made = make_features(plain).fit(clients)
    turned = clients[clients.columns[::-1]]
    np.testing.assert_array_equal(made.transform(turned), made.transform(clients))


def test_it_is_unfitted_and_can_be_cloned(plain: Schema, clients: pd.DataFrame) -> None:
    made = clone(make_features(plain))
    assert not hasattr(made, "transformers_")
    np.testing.assert_array_equal(
        made.fit_transform(clients), make_features(plain).fit_transform(clients)
    )
