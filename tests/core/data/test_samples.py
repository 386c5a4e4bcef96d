"""Synthetic clients obey the contract that they are drawn from."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loanapp.core.data.samples import sample_clients, sample_csv
from loanapp.core.data.schema import load_schema, parse_schema


def test_the_same_seed_draws_the_same_clients():
    schema = load_schema()
    assert sample_csv(schema, 50, seed=3) == sample_csv(schema, 50, seed=3)
    assert sample_csv(schema, 50, seed=3) != sample_csv(schema, 50, seed=4)


def test_every_value_is_one_that_the_contract_allows():
    schema = load_schema()
    clients = sample_clients(schema, 500)
    assert clients.column_names == [f.name for f in schema.fields]
    for field in schema.fields:
        column = clients[field.name]
        if field.enum:
            assert set(pc.unique(column).to_pylist()) == set(field.enum)
        elif field.is_numeric:
            low, high = field.usual_range
            assert low <= pc.min(column).as_py() <= pc.max(column).as_py() <= high


def test_amounts_depend_on_the_features_and_are_cut_off_at_both_bounds():
    schema = load_schema()
    clients = sample_clients(schema, 4000)
    amounts = clients[schema.target.name].to_numpy()
    low, high = schema.target.usual_range
    assert 0.05 < np.mean(amounts == low) < 0.3
    assert 0.01 < np.mean(amounts == high) < 0.3
    numbers = [clients[f.name].to_numpy() for f in schema.features() if f.is_numeric]
    strongest = max(abs(np.corrcoef(column, amounts)[0, 1]) for column in numbers)
    assert strongest > 0.2


def test_cells_are_left_empty_only_where_the_contract_lets_them():
    schema = load_schema()
    clients = sample_clients(schema, 1000, missing=0.3)
    for field in schema.fields:
        share = clients[field.name].null_count / 1000
        assert share == 0 if field.required else 0.2 < share < 0.4


def test_another_lender_s_contract_draws_its_own_clients():
    schema = parse_schema(
        {
            "fields": [
                {"name": "size", "type": "number"},
                {"name": "note", "type": "string"},
                {"name": "rent", "type": "number", "role": "target", "cut": None},
            ]
        }
    )
    clients = sample_clients(schema, 20)
    assert clients.column_names == ["size", "note", "rent"]
    assert pa.types.is_floating(clients.schema.field("rent").type)
