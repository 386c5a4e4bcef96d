"""Names of columns as files have them, matched to the contract."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loanapp.core.data.categories import loose_key
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

    Case, accents, blanks, hyphens and underscores do not count; each such match is a repair.
    Two names for one field, and a required field without a column, are problems.
    """
    matches = [_match(name, schema) for name in names]
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
    return len({field.name for name in names if (field := _match(name, schema))})


def _match(name: str, schema: Schema) -> Field | None:
    field = schema.by_name.get(unicodedata.normalize("NFC", name.strip()))
    if field is not None:
        return field
    key = loose_key(name)
    fits = [f for f in schema.fields if loose_key(f.name) == key]
    return fits[0] if len(fits) == 1 else None


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
