"""Files that go out: safe in a spreadsheet, and read back as what they were."""

from __future__ import annotations

import csv
import io

import numpy as np
import pyarrow as pa
import pytest
from openpyxl import load_workbook

from loanapp.core.data.export import csv_blocks, rejected_table, write_table
from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import load_schema
from loanapp.core.data.table import read_table

SCHEMA = load_schema()
REQUIRED = (*(f.name for f in SCHEMA.features()), SCHEMA.target.name)
DANGEROUS = ["=1+1", "+cmd|' /C calc'!A0", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1"]
HARMLESS = ["-12.5", "+33", "a=b", "Jean-Luc", "", "1,5", 'say "hi"; then', "two\nlines"]


def read(data: bytes, **options):
    return read_table(io.BytesIO(data), SCHEMA, required=REQUIRED, **options)


def written(table: pa.Table, kind: str = "csv", *, excel: bool = False) -> bytes:
    sink = io.BytesIO()
    write_table(table, sink, kind, excel=excel)
    return sink.getvalue()


def cells(data: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter))


@pytest.mark.parametrize("excel", [False, True])
def test_no_text_is_a_formula_and_no_other_is_changed(excel):
    table = pa.table({"=name": DANGEROUS + HARMLESS, "n": [-1.5] * 16})
    header, *rows = cells(written(table, excel=excel), ";" if excel else ",")
    assert header == ["'=name", "n"]
    assert [row[0] for row in rows] == [f"'{text}" for text in DANGEROUS] + HARMLESS
    assert {row[1] for row in rows} == {"-1,5" if excel else "-1.5"}


def test_a_file_for_french_excel_has_its_mark_its_delimiter_and_commas():
    data = written(pa.table({"a": [1.5, np.nan, None], "b": ["é", None, "x"]}), excel=True)
    assert data == "\ufeffa;b\n1,5;é\n;\n;x\n".encode()


@pytest.mark.parametrize("kind", ["csv", "excel", "xlsx", "parquet"])
def test_what_was_written_is_read_back(kind):
    table = read(sample_csv(SCHEMA, 200, seed=5, missing=0.1))
    excel = kind == "excel"
    data = written(table.in_file_order(), "csv" if excel else kind, excel=excel)
    again = read(data)
    assert again.data.equals(table.data)
    assert again.extra.equals(table.extra)


def test_a_file_with_two_columns_of_one_name_is_given_back_with_both():
    lines = sample_csv(SCHEMA, 2).decode().splitlines()
    data = "\n".join(
        f"note,{line},note" if i == 0 else f"a,{line},b" for i, line in enumerate(lines)
    )
    header, first, _ = cells(written(read(data.encode()).in_file_order()))
    assert (header[0], header[-1]) == ("note", "note")
    assert (first[0], first[-1]) == ("a", "b")


def test_blocks_are_the_file_in_pieces():
    table = read(sample_csv(SCHEMA, 100)).in_file_order()
    assert b"".join(csv_blocks([table.slice(0, 7), table.slice(7)])) == written(table)


def test_a_formula_in_a_workbook_is_a_text():
    book = load_workbook(io.BytesIO(written(pa.table({"a": ["=1+1", "x\x01y"]}), "xlsx")))
    assert [(c.value, c.data_type) for c in book.active["A"]][1:] == [("=1+1", "s"), ("xy", "s")]


def test_refused_rows_go_back_with_their_line_and_their_reasons():
    lines = sample_csv(SCHEMA, 3).decode().splitlines()
    lines[2] = "only,two"
    lines[3] = lines[3].replace("oui", "maybe").replace("non", "maybe")
    rejected = read("\n".join(lines).encode(), skip_invalid=True).rejected
    header, short, wrong = cells(written(rejected_table(rejected)))
    assert (header[0], header[-1]) == ("line", "problem")
    assert (short[0], short[1:3], wrong[0]) == ("3", ["only", "two"], "4")
    assert "cells" in short[-1]
    assert "smoker: " in wrong[-1]
