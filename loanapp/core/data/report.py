"""What the reader says of a file: repairs, problems, and what it left aside."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from loanapp.core.errors import InvalidTable, Message

PROBLEMS_KEPT = 100
CELL_KEPT = 80


def shortened(text: str) -> str:
    """A cell as it is quoted: its first 80 characters."""
    return text if len(text) <= CELL_KEPT else text[: CELL_KEPT - 1] + "…"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that makes a file unusable.

    Parameters
    ----------
    row
        Line number in the file as a text editor or a spreadsheet counts it (the header is
        usually line 1); for JSON, the position of the client, from 1. None: the whole file.
    column
        The contract's column, or the file's own name for it. None: the whole row.
    value
        The cell as it stands in the file, shortened to 80 characters.
    problem
        What is wrong and what to do.
    """

    row: int | None
    column: str | None
    value: str | None
    problem: Message


@dataclass(frozen=True, slots=True)
class Repair:
    """One kind of repair, counted in one column.

    Parameters
    ----------
    column
        The contract's column, or None for the whole file.
    repair
        What was done.
    count
        How many cells (or lines) it touched.
    before, after
        One example.
    """

    column: str | None
    repair: Message
    count: int
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the reader has to say about one file.

    Parameters
    ----------
    rows
        Data rows in the file, the refused ones among them.
    problems
        The first 100 problems in the order of the file.
    problem_count
        How many problems there are in all.
    invalid_rows
        How many rows have a problem.
    repairs
        What was repaired, by column and kind.
    ignored_columns
        Columns of the file that the contract does not name.
    """

    rows: int = 0
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0
    invalid_rows: int = 0
    repairs: tuple[Repair, ...] = field(default=())
    ignored_columns: tuple[str, ...] = ()

    def without_cells(self) -> Report:
        """Give what may be kept: counts and places, and no cell of the file."""
        return replace(
            self,
            problems=tuple(replace(problem, value=None) for problem in self.problems),
            repairs=tuple(replace(repair, before=None, after=None) for repair in self.repairs),
        )


def refused(what: Message, row: int | None = None) -> InvalidTable:
    """The error for a file that is refused as a whole, for one reason."""
    return InvalidTable(what, Report(problems=(Problem(row, None, None, what),), problem_count=1))
