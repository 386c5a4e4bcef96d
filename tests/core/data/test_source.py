"""Files by their content: archives, workbooks, Parquet; what is hostile ends early."""

from __future__ import annotations

import gzip
import io
import random
import re
import subprocess
import sys
import time
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook, load_workbook

from loanapp.core.data import source
from loanapp.core.data.samples import sample_clients, sample_csv
from loanapp.core.data.schema import load_schema
from loanapp.core.data.table import Limits, read_table
from loanapp.core.errors import InvalidTable, LimitExceeded

SCHEMA = load_schema()
REQUIRED = (*(f.name for f in SCHEMA.features()), SCHEMA.target.name)
CLIENTS = sample_clients(SCHEMA, 300, seed=3, missing=0.05)
CSV = sample_csv(SCHEMA, 300, seed=3, missing=0.05)
HEADER, ROW = CSV.split(b"\n")[0] + b"\n", CSV.split(b"\n")[1] + b"\n"


def read(data: bytes, **options):
    return read_table(io.BytesIO(data), SCHEMA, required=REQUIRED, **options)


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def workbook(*sheets: list[list[object]]) -> bytes:
    book = Workbook()
    book.remove(book.active)
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(row)
    return saved(book)


def saved(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def rows_of(table: pa.Table) -> list[list[object]]:
    return [table.column_names, *map(list, zip(*table.to_pydict().values(), strict=True))]


SHEET = workbook(rows_of(CLIENTS))


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(CSV),
        zipped(clients=CSV),
        zipped(clients=gzip.compress(CSV)),
        zipped(**{"__MACOSX/._a": b"x", "a.csv": CSV}),
        SHEET,
        zipped(book=SHEET),
        workbook([["Notes"]], rows_of(CLIENTS), []),
        parquet(CLIENTS),
        parquet(CLIENTS.cast(pa.schema([(f.name, pa.string()) for f in CLIENTS.schema]))),
        parquet(CLIENTS.to_pandas().astype({"region": "category"}).pipe(pa.Table.from_pandas)),
    ],
    ids=[
        "gzip", "zip", "gzip in zip", "zip of a Mac", "xlsx", "xlsx in zip", "xlsx of three sheets",
        "parquet", "parquet of texts", "parquet of categories",
    ],
)  # fmt: skip
def test_the_same_clients_are_read_from_every_kind_of_file(data):
    table = read(data)
    assert table.data.equals(read(CSV).data)
    assert table.extra.equals(read(CSV).extra)


def test_numbers_of_a_workbook_are_not_ambiguous():
    """1.234 typed as a number has one meaning; as a text it has two."""
    column = SCHEMA.target.name
    rows = rows_of(CLIENTS.slice(0, 1))
    at = rows[0].index(column)
    rows[1][at] = 1.234
    assert read(workbook(rows)).numbers(column).tolist() == [1.234]
    rows[1][at] = "1.234"
    with pytest.raises(InvalidTable):
        read(workbook(rows))


def test_a_problem_in_a_workbook_has_its_row_in_the_sheet():
    rows = [[], [], *rows_of(CLIENTS.slice(0, 3))]
    rows[4][rows[2].index("age")] = "x"
    with pytest.raises(InvalidTable) as caught:
        read(workbook(rows))
    assert [(p.row, p.column) for p in caught.value.report.problems] == [(5, "age")]


def test_titles_above_the_names_in_a_sheet_are_skipped():
    rows = [["Clients"], [], ["Agence", "Lille"], *rows_of(CLIENTS)]
    assert read(workbook(rows)).data.equals(read(CSV).data)


@pytest.mark.parametrize("size", ["A1", "A1:C9", "B3:N50"])
def test_what_a_workbook_says_of_its_size_is_not_believed(size):
    """Rows beyond it would be lost without a word."""
    out, sheet = io.BytesIO(), "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(io.BytesIO(SHEET)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == sheet:
                text = re.sub(rb'(<dimension ref=")[^"]*', rb"\1" + size.encode(), text)
            new.writestr(name, text)
    assert read(out.getvalue()).data.equals(read(CSV).data)


def test_merged_cells_of_clients_are_refused_and_those_of_titles_and_totals_are_not():
    book = load_workbook(io.BytesIO(workbook([["Clients"], *rows_of(CLIENTS)])))
    book.active.append(["Total", *[None] * 11, 5])
    book.active.merge_cells("A1:M1")
    book.active.merge_cells("A303:L303")
    assert read(saved(book)).data.equals(read(CSV).data)
    book.active.merge_cells("I5:I6")
    with pytest.raises(InvalidTable) as caught:
        read(saved(book))
    assert [p.row for p in caught.value.report.problems] == [5, 6]


@pytest.mark.parametrize("kind", [pa.decimal128(12, 2), pa.decimal256(40, 9), pa.float32()])
def test_numbers_of_a_parquet_file_are_what_they_print(kind):
    name = SCHEMA.target.name
    place = CLIENTS.column_names.index(name)
    short = CLIENTS.set_column(place, name, CLIENTS[name].cast(pa.string()).cast(kind))
    assert read(parquet(short)).numbers(name).tolist() == [
        float(text) for text in short[name].cast(pa.string()).to_pylist()
    ]


def test_two_sheets_of_clients_are_refused():
    with pytest.raises(InvalidTable):
        read(workbook(rows_of(CLIENTS), rows_of(CLIENTS)))


NOISE = random.Random(0)
HOSTILE = {
    "random bytes": lambda: NOISE.randbytes(1_000_000),
    "a picture": lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + NOISE.randbytes(1_000),
    "a document": lambda: b"%PDF-1.7\n" + NOISE.randbytes(1_000),
    "old Excel": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
    "a row of two million columns": lambda: HEADER + b"a,5,8.1," * 2_125_000,
    "commas": lambda: b"," * 20_000_000,
    "rows of commas": lambda: HEADER + (b"," * 12 + b"\n") * 1_500_000,
    "line breaks": lambda: HEADER + ROW + b"\n" * 20_000_000,
    "carriage returns": lambda: HEADER + ROW + b"\r" * 20_000_000,
    "quotes": lambda: HEADER + b'"' * 20_000_000,
    "stray quotes": lambda: HEADER + b'"a"b,\n' * 3_000_000,
    "short rows": lambda: HEADER + b"a,b\n" * 5_000_000,
    "a letter a line": lambda: b"a\n" * 45_000_000,
    "a quote that is never closed": lambda: HEADER + b'"' + ROW * 200_000,
    "long digits": lambda: HEADER + ROW.replace(b",", b"," + b"1" * 900_000, 3),
    "a number far from its unit": lambda: (
        HEADER + b"a,b,5" + b" " * 900_000 + b"x," + ROW.split(b",", 3)[3]
    ),
    "half a UTF-16": lambda: CSV.decode().encode("utf-16")[:-1],
    "UTF-16 of halves": lambda: b"\xff\xfe" + b"\x00\xd8" * 10_000,
    "NUL bytes": lambda: bytes(20_000_000),
    "a NUL in a row": lambda: CSV + ROW.replace(b",", b",\0", 1),
    "two encodings": lambda: CSV + ROW.replace(b",", ",é".encode("cp1252"), 1),
    "a bomb of zeros": lambda: gzip.compress(bytes(150_000_000)),
    "a bomb of rows": lambda: gzip.compress(HEADER + ROW * 2_000_000),
    "an archive of archives": lambda: zipped(a=zipped(a=zipped(a=CSV))),
    "an archive of many": lambda: zipped(**{str(i): b"" for i in range(3_000)}),
    "an archive of two": lambda: zipped(a=CSV, b=CSV),
    "half an archive": lambda: gzip.compress(CSV)[:500],
    "no archive": lambda: b"PK\x03\x04" + NOISE.randbytes(1_000),
    "half a workbook": lambda: SHEET[: len(SHEET) // 2],
    "half a Parquet": lambda: parquet(CLIENTS)[:-9],
    "no Parquet": lambda: b"PAR1" + NOISE.randbytes(1_000) + b"PAR1",
    "a Parquet bomb": lambda: parquet(
        pa.table({"age": pa.array(["x" * 1_000]).dictionary_encode().take([0] * 2_000_000)})
    ),
    "a Parquet of nothing": lambda: parquet(
        pa.table({f.name: pa.nulls(4_500_000, pa.string()) for f in SCHEMA.fields})
    ),
    "a workbook of far rows": lambda: far_workbook('<row r="99999999999"><c r="A1"/></row>'),
    "a workbook of far columns": lambda: far_workbook(
        "".join(f'<row r="{i}"><c r="BXX{i}"><v>1</v></c></row>' for i in range(1, 50_000))
    ),
}


def far_workbook(rows: str) -> bytes:
    """A workbook whose sheet is written by hand."""
    out, sheet = io.BytesIO(), "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(io.BytesIO(SHEET)) as old, zipfile.ZipFile(out, "w", 8) as new:
        text = old.read(sheet).decode()
        start, end = text.index("<sheetData>") + 11, text.index("</sheetData>")
        for name in old.namelist():
            new.writestr(
                name, text[:start] + rows + text[end:] if name == sheet else old.read(name)
            )
    return out.getvalue()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_time(name):
    data = HOSTILE[name]()
    started = time.process_time()
    with pytest.raises((InvalidTable, LimitExceeded)):
        read(data)
    assert time.process_time() - started < 10


@pytest.mark.slow
def test_hostile_files_stay_within_the_memory():
    """All of them in one process that may not have more than 1.5 GB."""
    code = f"""
import resource, sys
sys.path.insert(0, {str(__file__.rsplit("/", 1)[0])!r})
from test_source import HOSTILE, read
from loanapp.core.errors import InvalidTable, LimitExceeded
for make in HOSTILE.values():
    data = make()
    try:
        read(data)
    except (InvalidTable, LimitExceeded):
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1_500


@pytest.mark.parametrize(
    "data",
    [
        CSV,
        CSV.replace(b",oui,", b", Oui,"),
        gzip.compress(CSV),
        zipped(a=CSV),
        SHEET,
        parquet(CLIENTS),
    ],
    ids=["clean", "to be repaired", "gzip", "zip", "xlsx", "parquet"],
)
def test_a_file_too_large_for_memory_is_read_the_same(monkeypatch, data):
    whole = read(data)
    monkeypatch.setattr(source, "IN_MEMORY", 1_000)
    assert read(data).data.equals(whole.data)
    damaged = data[: len(data) * 2 // 3]
    with pytest.raises(InvalidTable):
        read(damaged)


def test_what_an_archive_unpacks_to_is_limited():
    with pytest.raises(LimitExceeded):
        read(gzip.compress(CSV), limits=Limits(decompressed_bytes=1_000))


def test_nothing_named_by_a_client_is_opened(tmp_path):
    """A path or an address as content is content."""
    secret = tmp_path / "clients.csv"
    secret.write_bytes(CSV)
    for content in (str(secret), f"file://{secret}", "http://localhost:1/clients.csv"):
        with pytest.raises(InvalidTable):
            read(content.encode())


def test_the_handle_stays_open():
    handle = io.BytesIO(CSV)
    read_table(handle, SCHEMA, required=REQUIRED)
    assert not handle.closed
