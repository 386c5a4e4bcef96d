"""The door: what a clean file gives, what a wrong one is told, and where."""

from __future__ import annotations

import io
import subprocess
import sys
import unicodedata

import numpy as np
import pytest

from loanapp.core.data import clean
from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import load_schema, parse_schema
from loanapp.core.data.table import Limits, read_blocks, read_records, read_table
from loanapp.core.errors import InvalidTable, LimitExceeded

SCHEMA = load_schema()
FEATURES = tuple(f.name for f in SCHEMA.features())
REQUIRED = (*FEATURES, SCHEMA.target.name)
CLIENT = {f.name: f.example for f in SCHEMA.fields}
NUMBERS = tuple(f.name for f in SCHEMA.fields if f.type == "number" and f.role != "target")
WHOLE = next(f.name for f in SCHEMA.fields if f.type == "integer")
CATEGORY = next(f.name for f in SCHEMA.fields if len(f.enum) > 3)
SPELLED = SCHEMA.by_name[CATEGORY].enum[0].upper()
TARGET, NAME = SCHEMA.target.name, SCHEMA.identifiers[0].name


def csv_of(*changes: dict[str, object], names=tuple(CLIENT), end: str = "\n") -> bytes:
    """A file of one client a change; a cell is written as it is given."""
    lines = [",".join(names)]
    lines += [",".join(str({**CLIENT, **change}[name]) for name in names) for change in changes]
    return (end.join(lines) + end).encode()


def read(data: bytes, required=REQUIRED, **options):
    return read_table(io.BytesIO(data), SCHEMA, required=required, **options)


def refusal(data: bytes, required=REQUIRED):
    with pytest.raises(InvalidTable) as caught:
        read(data, required)
    return caught.value.report


def problem(data: bytes, required=REQUIRED):
    report = refusal(data, required)
    assert report.problem_count == len(report.problems) == 1
    return report.problems[0]


def test_a_clean_file_gives_the_contracts_columns_typed_and_the_others_untouched():
    table = read(csv_of({}, {NUMBERS[0]: ""}))
    assert table.data.column_names == [f.name for f in SCHEMA.fields if f.name in REQUIRED]
    assert np.isnan(table.numbers(NUMBERS[0])[1])
    category = table.data[CATEGORY].combine_chunks()
    assert tuple(category.dictionary.to_pylist()) == SCHEMA.by_name[CATEGORY].enum
    assert table.extra.column_names == [f.name for f in SCHEMA.identifiers]
    assert table.names == tuple(CLIENT)
    assert table.positions.tolist() == [0, 1]
    assert not table.report.repairs
    assert not table.report.ignored_columns


def test_the_target_of_a_file_to_predict_is_left_aside_and_said_so():
    table = read(csv_of({TARGET: "whatever"}), FEATURES)
    assert table.report.ignored_columns == (TARGET,)
    assert table.extra[TARGET].to_pylist() == ["whatever"]


def test_an_optional_column_is_checked_where_it_is_there():
    assert TARGET in read(csv_of({}), FEATURES, optional=[TARGET]).data.column_names
    with pytest.raises(InvalidTable):
        read(csv_of({TARGET: "x"}), FEATURES, optional=[TARGET])
    without = csv_of({}, names=[n for n in CLIENT if n != TARGET])
    assert TARGET not in read(without, FEATURES, optional=[TARGET]).data.column_names


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({CATEGORY: "Texas"}, CATEGORY),
        ({NUMBERS[0]: "tall"}, NUMBERS[0]),
        ({NUMBERS[0]: "1_000"}, NUMBERS[0]),
        ({NUMBERS[0]: "0x41"}, NUMBERS[0]),
        ({NUMBERS[0]: "1e9"}, NUMBERS[0]),
        ({NUMBERS[0]: "-160"}, NUMBERS[0]),
        ({WHOLE: "57.5"}, WHOLE),
        ({WHOLE: "17"}, WHOLE),
        ({TARGET: ""}, TARGET),
        ({TARGET: "NaN"}, TARGET),
        ({TARGET: "inf"}, TARGET),
        ({TARGET: "-Infinity"}, TARGET),
        ({TARGET: "1e999"}, TARGET),
        ({TARGET: "-1"}, TARGET),
    ],
)
def test_a_wrong_cell_is_refused_with_its_line_column_and_value(change, column):
    found = problem(csv_of({}, change, {}))
    assert (found.row, found.column, found.value) == (3, column, next(iter(change.values())))


def test_a_missing_column_is_named_and_a_likely_one_proposed():
    names = [n for n in CLIENT if n != CATEGORY]
    assert problem(csv_of({}, names=names)).column == CATEGORY
    renamed = csv_of({}).replace(CATEGORY.encode(), CATEGORY.encode() + b"x")
    assert CATEGORY + "x" in str(problem(renamed).problem)


def test_two_columns_for_one_field_are_refused():
    data = csv_of({}).replace(NAME.encode(), WHOLE.upper().encode())
    assert problem(data).column == WHOLE


@pytest.mark.parametrize("data", [b"", b"\n \n\n", b"# nothing\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_said_to_be_empty(data):
    assert "empty" in str(problem(data).problem)


def test_a_header_alone_is_refused():
    assert "no rows" in str(problem(csv_of()).problem)


def test_ragged_rows_are_refused_at_their_lines():
    lines = csv_of({}, {}, {}).decode().splitlines()
    lines[2] += ",7"
    lines[3] = "x,y"
    report = refusal("\n".join(lines).encode())
    assert [p.row for p in report.problems] == [3, 4]


def test_lines_are_counted_as_an_editor_does():
    """Quoted line breaks, blank and comment lines all count."""
    body = csv_of({NAME: '"a\nb\r\nc"'}, {}, {WHOLE: "x"}).decode()
    data = ("# exported\n\n" + body.replace("Martin", "Mar\u2028tin")).encode()
    found = problem(data)
    editor = data.decode().replace("\r\n", "\n").split("\n")
    assert ",x," in editor[found.row - 1]


def test_a_refused_file_tells_the_first_hundred_problems_and_how_many_there_are():
    changes = [{WHOLE: "x"} if i % 30 == 0 else {} for i in range(9_000)]
    data = csv_of(*changes)
    report = refusal(data)
    assert (report.problem_count, report.invalid_rows, report.rows) == (300, 300, 9_000)
    lines = data.decode().split("\n")
    assert len(report.problems) == 100
    assert all(",x," in lines[p.row - 1] for p in report.problems)
    assert [p.row for p in report.problems] == sorted(p.row for p in report.problems)


def test_no_persons_name_is_repeated_in_a_problem():
    secret = "Xaviera"
    data = csv_of({NAME: secret, WHOLE: "x"}, {NAME: f'"{secret}\n', WHOLE: "y"})
    assert secret not in repr(refusal(data))
    headless = data.split(b"\n", 1)[1].replace(b'"', b"")
    assert secret not in repr(refusal(headless))


def test_the_good_rows_can_be_kept_and_the_others_given_back_with_their_reasons():
    data = csv_of({}, {WHOLE: "x", TARGET: ""}, {}) + b"short,row\n"
    table = read(data, skip_invalid=True)
    assert table.positions.tolist() == [0, 2]
    assert table.rows == table.data.num_rows == table.extra.num_rows == 2
    rejected = table.rejected
    assert rejected.positions.tolist() == [1, 3]
    assert rejected.lines.tolist() == [3, 5]
    assert rejected.cells[WHOLE].to_pylist()[0] == "x"
    assert [len(reasons) for reasons in rejected.reasons] == [2, 1]
    assert (table.report.rows, table.report.invalid_rows) == (4, 2)


def test_the_whole_file_may_be_rejected_row_by_row():
    table = read(csv_of({WHOLE: "x"}), skip_invalid=True)
    assert (table.rows, table.rejected.rows) == (0, 1)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (['"1,234"', '"1,5"'], [1.234, 1.5]),
        (['"1,234"', '"1,234,567"'], None),
        (['"40,000"', '"7975,91"'], None),
        (['"40,000"', '"7975,125"'], [40, 7975.125]),
        (['"1,234"', '"1,234.5"'], [1234, 1234.5]),
        (['"1,234"', "999.5"], None),
        (['"1,234"', "1234"], None),
        (["1.234", "2.345"], None),
        (["1.234", "2.5"], [1.234, 2.5]),
        (["1.234", '"2.345,6"'], [1234, 2345.6]),
        (['"1,234"', '"1,5"', '"1,234.5"'], None),
        (["0.125", '"0,250"'], [0.125, 0.25]),
        (["1 369", "1\u202f369,5"[:5]], [1369, 1369]),
        (["1369.125", '"12345,678"'], [1369.125, 12345.678]),
    ],
)
def test_a_number_with_two_readings_is_decided_by_its_column_or_refused(cells, values):
    column = "revenu_estime_mois"
    data = csv_of(*({column: cell} for cell in cells))
    if values is None:
        assert {p.column for p in refusal(data).problems} == {column}
    else:
        assert read(data).numbers(column).tolist() == values


def test_the_contracts_range_settles_what_the_column_leaves_open():
    """161,734 cm can only be 161.734: no one is 161,734 cm tall."""
    column = SCHEMA.by_name["taille"]
    table = read(csv_of({column.name: '"161,734"'}))
    assert table.numbers(column.name).tolist() == [161.734]
    assert table.report.repairs[0].count == 1


def test_every_repair_is_counted_by_column_with_an_example():
    table = read(csv_of({WHOLE: "57 ans"}, {WHOLE: " 58 "}, {WHOLE: "59 ans"}))
    repairs = {str(r.repair): (r.column, r.count, r.before, r.after) for r in table.report.repairs}
    assert repairs == {
        "unit removed": (WHOLE, 2, "57 ans", "57"),
        "surrounding blanks removed": (WHOLE, 1, " 58 ", "58"),
    }


def test_columns_are_found_in_any_order_and_spelling():
    names = list(reversed(CLIENT))
    data = csv_of({}, names=names).decode()
    header, body = data.split("\n", 1)
    header = unicodedata.normalize("NFD", header.replace("_", " ").upper())
    table = read(f"{header}\n{body}".encode())
    assert table.names == tuple(names)
    assert table.data.equals(read(csv_of({})).data)
    assert len(table.report.repairs) == len(names)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_column_may_go_by_its_label_where_none_goes_by_its_name(language):
    labels = [SCHEMA.by_name[name].label(language) for name in CLIENT]
    body = csv_of({}).decode().split("\n", 1)[1]
    table = read(f"{','.join(labels)}\n{body}".encode())
    assert table.data.equals(read(csv_of({})).data)
    both = csv_of({}, names=[*CLIENT]).decode().replace(NAME, SCHEMA.by_name[TARGET].label("fr"), 1)
    assert SCHEMA.by_name[TARGET].label("fr") in read(both.encode()).report.ignored_columns


def test_titles_above_the_names_are_skipped_and_rows_of_clients_never():
    table = read(b"Clients au 31/12/2024\n\nAgence,Lille\n" + csv_of({}, {}))
    assert table.rows == 2
    assert [(str(r.repair), r.count) for r in table.report.repairs] == [
        ("lines before the header skipped", 3)
    ]
    header, client, _ = csv_of({}).decode().split("\n")
    assert problem_rows(f"{client}\n{header}\n{client}\n".encode()) == {1}


def problem_rows(data: bytes):
    return {p.row for p in refusal(data).problems if p.column in REQUIRED and p.value is None}


def test_a_separator_line_may_name_the_tab():
    assert read(b"sep=\t\n" + csv_of({}).replace(b",", b"\t")).rows == 1


@pytest.mark.parametrize("text", ["a, b, c,\nd", "a" + ", b" * 30 + "\r\nc, d", "\n" * 20])
def test_a_long_text_over_several_lines_is_one_cell(text):
    names = [*CLIENT, "note"]
    body = ",".join(map(str, CLIENT.values()))
    data = f'{",".join(names)}\n{body},"{text}"\n{body},\n'
    table = read(data.encode())
    assert table.rows == 2
    assert table.extra["note"].to_pylist() == [text, ""]


@pytest.mark.parametrize("at", [0, 5, 12])
def test_a_quote_that_swallows_rows_is_noticed_wherever_it_opens_and_closes(at):
    rows = [list(map(str, CLIENT.values())) for _ in range(4)]
    rows[1][at], rows[2][at] = '"' + rows[1][at], rows[2][at] + '"'
    data = "\n".join(map(",".join, [[*CLIENT], *rows])) + "\n"
    assert refusal(data.encode()).problems[0].row == 3


def test_numbers_in_the_columns_of_categories_do_not_make_a_total_a_client():
    """Where yes is 1, the line of totals of one client reads like him."""
    names = [f.name for f in SCHEMA.fields if set(f.enum) == {"oui", "non"}]
    texts = [f.name for f in SCHEMA.fields if f.enum and f.name not in names]
    ones = dict.fromkeys(names, "1")
    total = {**ones, **dict.fromkeys(texts, ""), NAME: "Total"}
    assert problem(csv_of(ones, total)).row == 3


def test_rows_keep_their_order_and_number():
    table = read(csv_of(*({TARGET: i} for i in range(1, 400))))
    assert table.numbers(TARGET).tolist() == list(range(1, 400))


@pytest.mark.parametrize(
    ("rows", "small"), [(1, clean.SMALL_BYTES), (999, clean.SMALL_BYTES), (999, 0)]
)
def test_blocks_are_the_table_in_pieces(rows, small, monkeypatch):
    monkeypatch.setattr(clean, "SMALL_BYTES", small)
    monkeypatch.setattr(clean, "BLOCK", 1 << 16)
    data = sample_csv(SCHEMA, 3_000, missing=0.1)
    whole = read(data)
    blocks = list(read_blocks(io.BytesIO(data), SCHEMA, required=REQUIRED, block_rows=rows))
    assert sum(block.rows for block in blocks) == whole.rows
    assert max(block.rows for block in blocks) == rows
    assert np.concatenate([b.positions for b in blocks]).tolist() == list(range(3_000))
    for name in (TARGET, WHOLE):
        together = np.concatenate([b.numbers(name) for b in blocks])
        assert np.array_equal(together, whole.numbers(name), equal_nan=True)


def test_blocks_leave_out_the_rows_that_the_table_leaves_out():
    data = sample_csv(SCHEMA, 300) + b"short,row\n" + sample_csv(SCHEMA, 50).partition(b"\n")[2]
    whole = read(data, skip_invalid=True)
    read_so = {"required": REQUIRED, "skip_invalid": True, "block_rows": 100}
    blocks = list(read_blocks(io.BytesIO(data), SCHEMA, **read_so))
    assert [block.report.rows for block in blocks] == [100, 100, 100, 51]
    assert [block.rows for block in blocks] == [100, 100, 100, 50]
    assert [block.share for block in blocks] == [100 / 351, 200 / 351, 300 / 351, 1.0]
    assert np.concatenate([b.positions for b in blocks]).tolist() == whole.positions.tolist()
    assert [block.rejected.rows for block in blocks] == [0, 0, 0, 1]
    assert blocks[-1].rejected.positions.tolist() == [300]
    assert blocks[-1].report.problems == whole.report.problems


def test_blocks_refuse_what_the_table_refuses():
    data = sample_csv(SCHEMA, 50_000) + b"short,row\n"
    with pytest.raises(InvalidTable) as caught:
        list(read_blocks(io.BytesIO(data), SCHEMA, required=REQUIRED))
    assert caught.value.report.problems[0].row == 50_002


@pytest.mark.parametrize(
    ("limits", "data"),
    [
        (Limits(bytes=100), csv_of({}, {})),
        (Limits(rows=1), csv_of({}, {})),
        (Limits(rows=1), csv_of({}, {WHOLE: " 57"})),
        (Limits(columns=5), csv_of({})),
        (Limits(line_bytes=50), csv_of({})),
        (Limits(cells=20), csv_of({}, {})),
        (Limits(cells=20), csv_of({}, {WHOLE: " 57"})),
    ],
    ids=["bytes", "rows", "rows, carefully", "columns", "line", "cells", "cells, carefully"],
)
def test_a_limit_is_said_before_the_work_is_done(limits, data):
    with pytest.raises(LimitExceeded):
        read(data, limits=limits)


def test_a_records_values_are_read_as_a_files_cells():
    file = read(csv_of({}, {WHOLE: "", CATEGORY: SPELLED}), FEATURES)
    same = {n: CLIENT[n] for n in CLIENT if n != TARGET}
    records = [same, {**same, WHOLE: None, CATEGORY: SPELLED}]
    table = read_records(records, SCHEMA, required=FEATURES)
    assert table.data.equals(file.data)
    assert len(table.report.repairs) == 1


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({WHOLE: True}, WHOLE),
        ({WHOLE: [57]}, WHOLE),
        ({WHOLE: 10**400}, WHOLE),
        ({WHOLE: 57.5}, WHOLE),
        ({WHOLE: "1,234"}, WHOLE),
        ({CATEGORY: 3}, CATEGORY),
        ({CATEGORY: {"a": 1}}, CATEGORY),
    ],
)
def test_a_wrong_record_is_refused_with_its_position(change, column):
    with pytest.raises(InvalidTable) as caught:
        read_records([CLIENT, {**CLIENT, **change}], SCHEMA, required=FEATURES)
    found = caught.value.report.problems
    assert [(p.row, p.column) for p in found] == [(2, column)]


def test_a_column_that_a_record_lacks_is_refused_alone_as_among_others():
    """The same client gets the same answer, whoever stands beside it."""
    lacking = {name: value for name, value in CLIENT.items() if name != WHOLE}
    for records in ([lacking], [CLIENT, lacking]):
        with pytest.raises(InvalidTable) as caught:
            read_records(records, SCHEMA, required=FEATURES)
        assert [p.column for p in caught.value.report.problems] == [WHOLE]


def test_no_records_are_refused():
    with pytest.raises(InvalidTable):
        read_records([], SCHEMA, required=FEATURES)


def test_another_lenders_contract_is_read_without_a_change_of_code():
    other = parse_schema(
        {
            "missingValues": ["", "-99"],
            "fields": [
                {"name": "Sektor", "role": "feature"},
                {"name": "neu", "type": "boolean"},
                {"name": "umsatz", "type": "number", "unit": "€", "constraints": {"minimum": 500}},
                {"name": "kredit", "type": "number", "role": "target"},
            ],
        }
    )
    data = "SEKTOR;neu;umsatz;kredit\n Bau ;ja;1.234;10\n;Yes;-99;20\n".replace("ja", "1").encode()
    names = [f.name for f in other.fields]
    table = read_table(io.BytesIO(data), other, required=names)
    assert table.data.to_pydict() == {
        "Sektor": ["Bau", None],
        "neu": ["true", "true"],
        "umsatz": [1234.0, None],
        "kredit": [10.0, 20.0],
    }


def test_a_frame_has_numbers_and_texts():
    frame = read(csv_of({}, {NUMBERS[0]: "", CATEGORY: ""})).to_pandas()
    assert frame[NUMBERS[0]].dtype == np.float64
    assert frame[CATEGORY].isna().tolist() == [False, True]


def test_reading_does_not_import_pandas():
    """A process that scores has no use for it: 1.5 s and 60 MiB."""
    code = """
import io, sys
from loanapp.core.data.export import csv_blocks, write_table
from loanapp.core.data.schema import load_schema
from loanapp.core.data.table import read_blocks, read_records, read_table
schema = load_schema()
names = [f.name for f in schema.features()]
record = {f.name: f.example for f in schema.fields}
read_records([record], schema, required=names)
read_records([{**record, names[0]: " 57 "}], schema, required=names)
lines = [",".join(record), ",".join(map(str, record.values()))]
for cell in ("", " "):
    data = "\\n".join([*lines, cell + lines[1]]).encode()
    table = read_table(io.BytesIO(data), schema, required=names)
    list(read_blocks(io.BytesIO(data), schema, required=names))
    table.numbers(names[0]), table.codes(names[3])
    list(csv_blocks([table.in_file_order()], excel=True))
for kind in ("xlsx", "parquet"):
    sink = io.BytesIO()
    write_table(table.in_file_order(), sink, kind)
    sink.seek(0)
    read_table(sink, schema, required=names)
    sink.seek(0)
    read_table(sink, schema, required=names, skip_invalid=True)
print("pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
