"""Polluted files: each is read as the clean one or refused where it was changed, never misread."""

from __future__ import annotations

import csv
import io
import random
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pollution import POLLUTIONS, File

from loanapp.core.data import table
from loanapp.core.data.categories import CategoryReader
from loanapp.core.data.numerals import NumberFormat
from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import load_schema
from loanapp.core.data.table import Table, read_records, read_table
from loanapp.core.errors import InvalidTable

SCHEMA = load_schema()
REQUIRED = (*(f.name for f in SCHEMA.features()), SCHEMA.target.name)
KINDS = {
    f.name: "number" if f.is_numeric else "category" if f.enum else "text" for f in SCHEMA.fields
}


@cache
def clean(rows: int, seed: int, missing: float, decimals: int | None) -> tuple[File, Table]:
    """A sample file, its amounts with so many decimals, and what it says by its types."""
    data = sample_csv(SCHEMA, rows, seed, missing=missing)
    header, *cells = csv.reader(io.StringIO(data.decode()))
    if decimals is not None:
        cells = [
            [_rounded(cell, name, decimals) for name, cell in zip(header, row, strict=True)]
            for row in cells
        ]
    records = [
        {name: _typed(cell, name) for name, cell in zip(header, row, strict=True)} for row in cells
    ]
    return File(header, cells), read_records(records, SCHEMA, required=REQUIRED)


def _rounded(cell: str, name: str, decimals: int) -> str:
    is_number = SCHEMA.by_name[name].type == "number"
    return f"{float(cell):.{decimals}f}" if cell and is_number else cell


def _typed(cell: str, name: str) -> object:
    if not cell:
        return None
    return float(cell) if SCHEMA.by_name[name].is_numeric else cell


def read(data: bytes) -> Table:
    return read_table(io.BytesIO(data), SCHEMA, required=REQUIRED)


def outcome(
    rows: int, seed: int, missing: float, decimals: int | None, chosen: list[int], chance: int
) -> str:
    """Say whether a polluted file is the same, refused with a place, or wrong."""
    file, truth = clean(rows, seed, missing, decimals)
    source = random.Random(chance)
    for pollution in chosen:
        file = POLLUTIONS[pollution](file, source, KINDS)
    try:
        found = read(file.write())
    except InvalidTable as error:
        report = error.report
        placed = all(p.row is not None or p.column is not None for p in report.problems)
        return "refused" if report.problem_count and placed else "refused without a place"
    return "same" if found.data.equals(truth.data) else "silently different"


cases = st.tuples(
    st.sampled_from([1, 2, 7, 40]),
    st.integers(0, 5),
    st.sampled_from([0.0, 0.1]),
    st.sampled_from([None, 0, 1, 3]),
    st.lists(st.integers(0, len(POLLUTIONS) - 1), min_size=1, max_size=3),
    st.integers(0, 10_000),
)
common = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}


@settings(max_examples=150, derandomize=True, **common)
@given(cases)
def test_a_polluted_file_is_read_right_or_refused_with_its_place(case):
    assert outcome(*case) in ("same", "refused")


@pytest.mark.slow
@settings(max_examples=2_000, **common)
@given(cases)
def test_two_thousand_polluted_files_are_never_misread(case):
    assert outcome(*case) in ("same", "refused")


@pytest.mark.parametrize("index", range(len(POLLUTIONS)), ids=[p.__name__ for p in POLLUTIONS])
def test_each_pollution_alone_is_repaired_more_often_than_refused(index):
    """A reader that refuses everything would be safe and useless."""
    refusable = {"english_thousands", "german_thousands", "unit", "totals"}
    results = [outcome(40, seed, 0.1, None, [index], seed) for seed in range(6)]
    assert set(results) <= {"same", "refused"}
    if POLLUTIONS[index].__name__ not in refusable:
        assert set(results) == {"same"}
    else:
        assert "same" in results


@pytest.mark.parametrize(
    ("owner", "name", "broken", "pollutions"),
    [
        (
            NumberFormat,
            "decide",
            lambda self, numeral, field: numeral.readings[0],
            {"english_thousands", "german_thousands"},
        ),
        (CategoryReader, "read", lambda self, text: (0, True), {"yes_and_no", "case"}),
        (table, "leave_out_totals", lambda grid, header, schema: grid, {"totals"}),
    ],
    ids=["a guess between two readings", "a guess at a category", "totals kept"],
)
def test_a_broken_repair_is_noticed(monkeypatch, owner, name, broken, pollutions):
    monkeypatch.setattr(owner, name, broken)
    results = [
        outcome(rows, seed, 0.0, 0, [index], seed)
        for index, pollution in enumerate(POLLUTIONS)
        if pollution.__name__ in pollutions
        for rows in (1, 7)
        for seed in range(12)
    ]
    assert "silently different" in results
