"""Names of columns as files have them, matched to the contract."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loanapp.core.data.categories import loose_key
from loanapp.core.data.grid import is_blank
from loanapp.core.data.report import Problem, Repair, shortened
from loanapp.core.data.schema import Field, Schema
from loanapp.core.errors import message


@dataclass(frozen=True, slots=True)
class Header:
    """Which column of a file is which field.

    Parameters
    ----------
    names
        The file's columns; matched ones by the contract's name.
    positions
        Position in the file by contract name, identifiers among them.
    ignored
        The file's columns that are not read.
    problems, repairs
        What is wrong with the names, and what was made of them.
    """

    names: tuple[str, ...]
    positions: dict[str, int]
    ignored: tuple[str, ...]
    problems: tuple[Problem, ...]
    repairs: tuple[Repair, ...]


def match_header(
    names: Sequence[str],
    schema: Schema,
    required: Iterable[str],
    optional: Iterable[str] = (),
    line: int | None = None,
) -> Header:
    """Match the names of a file to the contract, in any order.

    Case, accents, blanks, hyphens and underscores do not count, and a field without a column of
    its name may go by one of its labels; each such match is a repair. Two names for one field,
    and a required field without a column, are problems.
    """
    matches = _match(names, schema)
    counts = Counter(f.name for f in matches if f)
    problems = [
        _twice(name, [n for n, f in zip(names, matches, strict=True) if f and f.name == name], line)
        for name, count in counts.items()
        if count > 1
    ]
    wanted = {*required, *optional}
    # Where nothing matches, the line may be a client and not a header: it is not repeated.
    spare = [n for n, f in zip(names, matches, strict=True) if f is None and counts]
    problems += [_missing(name, spare, line) for name in required if not counts[name]]
    known = wanted | {f.name for f in schema.identifiers}
    return Header(
        names=tuple(f.name if f else n for n, f in zip(names, matches, strict=True)),
        positions={f.name: i for i, f in enumerate(matches) if f},
        ignored=tuple(
            f.name if f else n
            for n, f in zip(names, matches, strict=True)
            if counts and (f is None or f.name not in known)
        ),
        problems=tuple(problems),
        repairs=tuple(
            Repair(f.name, message("name of the column corrected"), 1, shortened(n), f.name)
            for n, f in zip(names, matches, strict=True)
            if f and f.name != n
        ),
    )


def matched_share(names: Sequence[str], schema: Schema) -> int:
    """How many fields of the contract these names hold."""
    return len({field.name for field in _match(names, schema) if field})


def find_header(lines: Sequence[Sequence[str]], schema: Schema) -> int:
    """Which of the first lines of a file holds its names; above it there may be titles.

    It is the one with the most names of the contract. What stands above it is passed over only
    where it cannot be a client: where each line has less than half as many cells.
    """
    shares = [matched_share(lines[0], schema)]
    if 2 * shares[0] < len(schema.fields):
        shares += [matched_share(cells, schema) for cells in lines[1:]]
    best = shares.index(max(shares))
    most = max((_filled(cells) for cells in lines[:best]), default=0)
    return best if shares[best] > 1 and 2 * most < _filled(lines[best]) else 0


def _filled(cells: Sequence[str]) -> int:
    return sum(not is_blank(cell) for cell in cells)


def _match(names: Sequence[str], schema: Schema) -> list[Field | None]:
    """The field of each name: by the name itself, by its spelling, or by a label."""
    exact = {unicodedata.normalize("NFC", name.strip()) for name in names} & schema.by_name.keys()
    own = _spellings((f, f.name) for f in schema.fields)
    found = exact | {own[key].name for key in map(loose_key, names) if key in own}
    labels = _spellings(
        (f, label) for f in schema.fields if f.name not in found for label in f.labels.values()
    )
    known = {**labels, **own}
    return [
        schema.by_name.get(unicodedata.normalize("NFC", name.strip())) or known.get(loose_key(name))
        for name in names
    ]


def _spellings(named: Iterable[tuple[Field, str]]) -> dict[str, Field]:
    """Fields by their loosely spelled names, without the names that several go by."""
    spellings: dict[str, Field | None] = {}
    for field, name in named:
        key = loose_key(name)
        spellings[key] = field if spellings.get(key, field) is field else None
    return {key: field for key, field in spellings.items() if field and key}


def _twice(name: str, found: Sequence[str], line: int | None) -> Problem:
    text = message("{count} columns are read as {column}. Keep one of them.",
                   count=len(found), column=name)  # fmt: skip
    return Problem(line, name, shortened(", ".join(found)), text)


def _missing(name: str, spare: Sequence[str], line: int | None) -> Problem:
    close = difflib.get_close_matches(loose_key(name), [loose_key(s) for s in spare[:200]], n=1)
    if not close:
        text = message("The column {column} is missing. Add it to the file.", column=name)
    else:
        near = next(s for s in spare if loose_key(s) == close[0])
        text = message(
            "The column {column} is missing. If it is the one named {near}, rename it.",
            column=name, near=shortened(near))  # fmt: skip
    return Problem(line, name, None, text)
