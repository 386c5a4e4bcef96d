"""What happens to client files before they arrive: pollutions that leave their meaning alone.

Each takes a file as rows of cells and a source of randomness, and gives it back changed. Some
make a cell unreadable or ambiguous: then a refusal is the right answer too, a different value
never is.
"""

from __future__ import annotations

import csv
import gzip
import io
import random
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class File:
    """A client file that is not written yet."""

    header: list[str]
    rows: list[list[str]]
    delimiter: str = ","
    encoding: str = "utf-8"
    line_end: str = "\n"
    before: str = ""
    after: str = ""
    tail: str = ""
    wrap: list[Callable[[bytes], bytes]] = field(default_factory=list)
    formatted: frozenset[str] = frozenset()

    def write(self) -> bytes:
        """The bytes of the file."""
        out = io.StringIO(newline="")
        writer = csv.writer(out, delimiter=self.delimiter, lineterminator="\n")
        writer.writerows([self.header, *self.rows])
        body = out.getvalue()
        if self.tail:
            body = body.replace("\n", self.tail + "\n")
        text = self.before + body + self.after
        data = _encoded(text.replace("\n", self.line_end), self.encoding)
        for step in self.wrap:
            data = step(data)
        return data


def _encoded(text: str, encoding: str) -> bytes:
    """The text in an encoding, or in UTF-8 where that lacks a letter."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode()


Pollution = Callable[[File, random.Random, dict[str, str]], File]
"""The last argument gives the kind of each column: number, category or text."""


def _cells(file: File, chance: random.Random, kinds: dict[str, str], kind: str, change) -> File:
    """Change some cells, or all, of a random column of a kind."""
    columns = [i for i, name in enumerate(file.header) if kinds.get(name) == kind]
    if not columns:
        return file
    column, share = chance.choice(columns), chance.choice([0.2, 1.0])
    rows = [list(row) for row in file.rows]
    for row in rows:
        if row[column] and chance.random() < share:
            row[column] = change(row[column])
    return replace(file, rows=rows)


def _format(file: File, chance: random.Random, kinds: dict[str, str], change) -> File:
    """Change the number format of a whole column, once: two formats in one have no one truth."""
    names = [n for n in file.header if kinds.get(n) == "number" and n not in file.formatted]
    if not names:
        return file
    name = chance.choice(names)
    column = file.header.index(name)
    rows = [[change(c) if i == column else c for i, c in enumerate(row)] for row in file.rows]
    return replace(file, rows=rows, formatted=file.formatted | {name})


def decimal_comma(file, chance, kinds):
    return _format(file, chance, kinds, lambda c: c.replace(".", ","))


def some_decimal_commas(file, chance, kinds):
    """Both decimal marks in one column: each cell that has one meaning keeps it."""
    if file.formatted:
        return file
    changed = _cells(file, chance, kinds, "number", lambda c: c.replace(".", ","))
    return replace(changed, formatted=frozenset(kinds))


def thousands(file, chance, kinds):
    mark = chance.choice([" ", "\u00a0", "\u202f", "'", "’"])

    def group(cell: str) -> str:
        whole, point, rest = cell.partition(".")
        return f"{int(whole):,}".replace(",", mark) + point + rest if whole.isdigit() else cell

    return _cells(file, chance, kinds, "number", group)


def english_thousands(file, chance, kinds):
    def group(cell: str) -> str:
        whole, point, rest = cell.partition(".")
        return f"{int(whole):,}" + point + rest if whole.isdigit() else cell

    return _format(file, chance, kinds, group)


def german_thousands(file, chance, kinds):
    def group(cell: str) -> str:
        whole, point, rest = cell.partition(".")
        grouped = f"{int(whole):,}".replace(",", ".") if whole.isdigit() else whole
        return grouped + ("," + rest if point else "")

    return _format(file, chance, kinds, group)


def unit(file, chance, kinds):
    behind = chance.choice([" €", "€", " EUR", "\u00a0€", " cm", " kg", " ans"])
    return _cells(file, chance, kinds, "number", lambda c: c + behind)


def blanks(file, chance, kinds):
    blank = chance.choice([" ", "  ", "\t", "\u00a0", "\u202f"])
    kind = chance.choice(["number", "category"])
    side = chance.choice([lambda c: blank + c, lambda c: c + blank, lambda c: blank + c + blank])
    return _cells(file, chance, kinds, kind, side)


def case(file, chance, kinds):
    change = chance.choice([str.upper, str.lower, str.title, str.capitalize])
    return _cells(file, chance, kinds, "category", change)


def yes_and_no(file, chance, kinds):
    yes, no = chance.choice([("1", "0"), ("true", "false"), ("O", "N"), ("Yes", "No"), ("V", "F")])
    words = {"oui": yes, "non": no}
    return _cells(file, chance, kinds, "category", lambda c: words.get(c, c))


def spelling(file, chance, kinds):
    plain = str.maketrans({"’": "'", "é": "e", "ô": "o", "Î": "I"})
    change = chance.choice(
        [lambda c: c.translate(plain), lambda c: c.replace("-", " "), lambda c: c.replace("’", "'")]
    )
    return _cells(file, chance, kinds, "category", change)


def missing_marks(file, chance, kinds):
    mark = chance.choice(["NA", "n/a", "NULL", "-", "N/A", "null", "nan", " "])
    rows = [[cell or mark for cell in row] for row in file.rows]
    return replace(file, rows=rows)


def decomposed(file, chance, kinds):
    form = chance.choice(["NFD", "NFC"])
    normal = [[unicodedata.normalize(form, cell) for cell in row] for row in file.rows]
    header = [unicodedata.normalize(form, name) for name in file.header]
    return replace(file, header=header, rows=normal)


def header_spelling(file, chance, kinds):
    change = chance.choice(
        [
            str.upper,
            str.title,
            lambda n: f" {n} ",
            lambda n: n.replace("é", "e"),
            lambda n: n.replace("_", " "),
            lambda n: "\u00a0" + n,
            lambda n: n.replace("_", "\u00a0"),
        ]
    )
    return replace(file, header=[change(name) for name in file.header])


def order(file, chance, kinds):
    columns = list(range(len(file.header)))
    chance.shuffle(columns)
    return replace(
        file,
        header=[file.header[i] for i in columns],
        rows=[[row[i] for i in columns] for row in file.rows],
    )


def extra_column(file, chance, kinds):
    at = chance.randrange(len(file.header) + 1)
    cell = chance.choice(["", "x", "1,5", 'say "hi"', "two\nlines", "12;13", "total"])
    name = chance.choice(["agence", "", "remarque; note", "id"])
    return replace(
        file,
        header=[*file.header[:at], name, *file.header[at:]],
        rows=[[*row[:at], cell, *row[at:]] for row in file.rows],
    )


def names_with_everything(file, chance, kinds):
    cell = chance.choice(['O"Neill', "a,b;c\td|e", "deux\nlignes", "Jean\r\nPaul", " x ", "#1"])
    columns = [i for i, name in enumerate(file.header) if kinds.get(name) == "text"]
    rows = [list(row) for row in file.rows]
    for row in rows:
        for column in columns:
            if chance.random() < 0.5:
                row[column] = cell
    return replace(file, rows=rows)


def delimiter(file, chance, kinds):
    return replace(file, delimiter=chance.choice([";", "\t", "|", ","]))


def encoding(file, chance, kinds):
    names = ["utf-8-sig", "utf-16", "utf-32", "cp1252", "latin-1"]
    return replace(file, encoding=chance.choice(names))


def line_end(file, chance, kinds):
    return replace(file, line_end=chance.choice(["\r\n", "\r", "\n"]))


def preamble(file, chance, kinds):
    lines = ["\n", "# export du 12/03\n", ";;;;\n", "   \n", "# a,b;c\n"]
    before = "".join(chance.choices(lines, k=chance.randint(1, 3)))
    return replace(file, before=file.before + before)


def titles(file, chance, kinds):
    """What a report writes above its table: few cells, no name of a column."""
    agency = f"Agence{file.delimiter}Lille\n"
    lines = chance.choices(["Clients au 31/12/2024\n", agency, "\n", "Édité le : 12/03\n"], k=2)
    return replace(file, before=file.before + "".join(lines))


def separator_line(file, chance, kinds):
    return replace(file, before=f"sep={file.delimiter}\n" + file.before)


def trailing_delimiters(file, chance, kinds):
    return replace(file, tail=file.delimiter * chance.randint(1, 3))


def blank_lines(file, chance, kinds):
    return replace(file, after=file.after + "\n" * chance.randint(1, 3))


def totals(file, chance, kinds):
    """A line of totals: with a word or without, whole or short."""
    cells = []
    for i, name in enumerate(file.header):
        total = 0.0
        for row in file.rows:
            try:
                total += float(row[i])
            except ValueError:
                total = float("nan")
        cells.append(f"{total:.2f}" if kinds.get(name) == "number" and total == total else "")
    if chance.random() < 0.75:
        cells[0] = chance.choice(["Total", "TOTAL", "Total général", "Totaux :", "Sous-total"])
    return replace(file, rows=[*file.rows, cells])


def compressed(file, chance, kinds):
    def zipped(data: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("export/clients.csv", data)
        return out.getvalue()

    if len(file.wrap) == 2:
        return file
    return replace(file, wrap=[*file.wrap, chance.choice([gzip.compress, zipped])])


POLLUTIONS: tuple[Pollution, ...] = (
    decimal_comma,
    some_decimal_commas,
    thousands,
    english_thousands,
    german_thousands,
    unit,
    blanks,
    case,
    yes_and_no,
    spelling,
    missing_marks,
    decomposed,
    header_spelling,
    order,
    extra_column,
    names_with_everything,
    delimiter,
    encoding,
    line_end,
    preamble,
    titles,
    separator_line,
    trailing_delimiters,
    blank_lines,
    totals,
    compressed,
)
