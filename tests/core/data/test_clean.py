"""The fast lane never accepts what the careful lane would read otherwise."""

from __future__ import annotations

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loanapp.core.data import table as door
from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import load_schema
from loanapp.core.data.table import read_table
from loanapp.core.errors import InvalidTable

SCHEMA = load_schema()
REQUIRED = (*(f.name for f in SCHEMA.features()), SCHEMA.target.name)
LINES = sample_csv(SCHEMA, 12, missing=0.1).decode().splitlines()

odd = st.sampled_from(
    [
        "", " ", "57 ", "\t57", "nan", "NaN", "inf", "-inf", "0x39", "1_000", "1e3", "1E400",
        "+57", "057", "57.", ".5", "1.234", "12.345", "999.999", "40.000", "1,5", '"57"', '""',
        '" 57"', '"5"7', "NA", "-", "57\u00a0", "Oui", '"oui"', "oui ", "Total", "#", "5\r7",
        '"5\n7"', "½", "５７", "-0",
    ]
)  # fmt: skip
cell = odd | st.text(alphabet="0123456789.,-+eE '\"\u202f", max_size=8)


def result(data: bytes):
    try:
        table = read_table(io.BytesIO(data), SCHEMA, required=REQUIRED)
    except InvalidTable as error:
        return error.report
    return table.data.to_pydict(), table.extra.to_pydict(), table.names, table.report


@settings(
    max_examples=250, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12), cell), max_size=4),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n", "\n\n", "\nTotal,,,,,,,,,,,,5"]),
)
def test_both_lanes_say_the_same(changes, line_end, end):
    rows = [line.split(",") for line in LINES]
    for row, column, text in changes:
        rows[row][column] = text
    data = (line_end.join(map(",".join, rows)) + end).encode()
    fast = result(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(door, "recognise", lambda *args: None)
        careful = result(data)
    assert repr(fast) == repr(careful)


def test_a_clean_file_takes_the_fast_lane(monkeypatch):
    """Else the careful lane would hide that the fast one is never taken."""
    monkeypatch.setattr(door._File, "read_carefully", None)
    quoted = "\n".join('"' + line.replace(",", '","') + '"' for line in LINES)
    for data in (sample_csv(SCHEMA, 12, missing=0.1), "\r\n".join(LINES).encode(), quoted.encode()):
        assert result(data)[0] == result("\n".join(LINES).encode())[0]
