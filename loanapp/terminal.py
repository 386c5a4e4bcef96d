"""How the command line speaks: tables and progress for a person, JSON for a script."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson
import typer
from pydantic import TypeAdapter

from loanapp.core.answers import Job
from loanapp.core.data.report import Report
from loanapp.core.errors import (
    InvalidBundle,
    InvalidSchema,
    InvalidTable,
    LimitExceeded,
    LoanappError,
    Message,
    NoModel,
    NotAllowed,
    NotIdentified,
    RemoteUnavailable,
    StoreUnavailable,
    TrainingBusy,
    TrainingFailed,
    UnknownJob,
    UnknownVersion,
    message,
)
from loanapp.i18n import format_moment, format_number, translate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table
    from rich.text import Text

    from loanapp.core.settings import Language


class WrongUsage(LoanappError):
    """A file or an option that a command cannot work with."""


EXIT_CODES: Mapping[type[LoanappError], int] = {
    WrongUsage: 2,
    InvalidTable: 3,
    LimitExceeded: 3,
    NoModel: 4,
    UnknownVersion: 4,
    UnknownJob: 4,
    InvalidBundle: 4,
    TrainingBusy: 5,
    TrainingFailed: 6,
    StoreUnavailable: 7,
    RemoteUnavailable: 7,
    InvalidSchema: 8,
    NotIdentified: 9,
    NotAllowed: 9,
}
PROBLEMS_SHOWN = 20
PHASES: Mapping[str, Message] = {
    "start": message("Starting"),
    "read": message("Reading the file"),
    "fit": message("Learning"),
    "evaluate": message("Testing on held-out rows"),
    "log": message("Recording the run"),
    "register": message("Registering the version"),
    "bundle": message("Preparing the model for use"),
    "promote": message("Going live"),
}
PROBLEM_COLUMNS = (message("Line"), message("Column"), message("Value"), message("Problem"))


@dataclass(frozen=True)
class Terminal:
    """Standard output for results, standard error for everything else.

    Parameters
    ----------
    language
        Of the texts.
    as_json
        Whether results are for a script.
    """

    language: Language
    as_json: bool = False

    @cached_property
    def out(self) -> Console:
        """Standard output."""
        from rich.console import Console

        return Console()

    @cached_property
    def err(self) -> Console:
        """Standard error."""
        from rich.console import Console

        return Console(stderr=True)

    @staticmethod
    def exit_code(error: LoanappError) -> int:
        """Give the code a command ends with; 8 for what keeps it from starting at all."""
        return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), 8)

    def text(self, what: Message | str) -> str:
        """Give a text in the terminal's language."""
        return translate(what, self.language)

    def say(self, what: Message | str) -> None:
        """Say one sentence to the person."""
        typer.echo(self.text(what), err=True)

    def headline(self, what: Message | str) -> None:
        """Write the one sentence that a result comes to, to standard output."""
        self.out.print(self.text(what), style="bold", markup=False, highlight=False)

    def result(self, kind: Any, value: object) -> None:
        """Write a record as JSON to standard output."""
        self.write_json(self.plain(kind, value))

    def write_json(self, document: object) -> None:
        """Write a JSON document to standard output."""
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())  # noqa: T201 - a result

    def table(self, headings: Sequence[Message], rows: Iterable[Sequence[object]]) -> None:
        """Write a table to standard output."""
        self.out.print(self._table(headings, rows))

    def error(self, error: LoanappError) -> None:
        """Show an error: what is wrong, and where in the file."""
        report = error.report if isinstance(error, InvalidTable) else None
        if self.as_json:
            facts = {"error": error.code, "detail": self.text(error.message)}
            if report:
                facts |= self.plain(Report, report)
            self.write_json(facts)
            return
        self.err.print(self.text(error.message), style="bold red", markup=False, highlight=False)
        if report:
            self.problems(report)

    def problems(self, report: Report) -> None:
        """Show the first problems of a file, and how many there are."""
        shown = report.problems[:PROBLEMS_SHOWN]
        rows = [
            ("" if p.row is None else p.row, p.column or "", p.value or "", self.text(p.problem))
            for p in shown
        ]
        if rows:
            self.err.print(self._table(PROBLEM_COLUMNS, rows))
        if report.problem_count > len(shown):
            self.say(
                message(
                    "The first {shown} of {count} problems.",
                    shown=len(shown),
                    count=report.problem_count,
                )
            )

    def notes(self, report: Report) -> None:
        """Say what was repaired in a file and which columns were left aside."""
        for repair in report.repairs:
            self.say(
                message(
                    "{column}: {repair} ({count})",
                    column=repair.column or "",
                    repair=repair.repair,
                    count=repair.count,
                )
            )
        if report.ignored_columns:
            names = ", ".join(report.ignored_columns)
            self.say(message("Columns that were left aside: {names}", names=names))

    def number(self, value: float) -> str:
        """Write a number in the terminal's language."""
        return format_number(value, self.language, decimals=3 if abs(value) < 10 else 0)

    def moment(self, moment: datetime | None) -> str:
        """Write a moment in the terminal's language."""
        return format_moment(moment, self.language) if moment else ""

    def plain(self, kind: Any, value: object) -> dict[str, Any]:
        """Give a record as what JSON is written from."""
        context = {"translate": self.text}
        document: dict[str, Any] = TypeAdapter(kind).dump_python(
            value, mode="json", by_alias=True, context=context
        )
        return document

    @contextmanager
    def progress(self, what: Message) -> Iterator[Callable[[float], None]]:
        """Show how much of something is done; gives what takes the share, 0 to 1."""
        with self._progress() as progress:
            task = progress.add_task(self.text(what), total=None, course="")
            yield lambda share: progress.update(task, total=1.0, completed=share)

    def follow(self, jobs: Iterator[Job]) -> Job | None:
        """Show a training as a bar until it ends; gives it as it ended."""
        last: Job | None = None
        with self._progress() as progress:
            task = progress.add_task(self.text(PHASES["start"]), total=1.0, course="")
            for last in jobs:
                progress.update(
                    task,
                    completed=last.share,
                    description=self.text(PHASES[last.phase]),
                    course=self._course(last),
                )
        return last

    def _course(self, job: Job) -> str:
        """Say how a training goes: the epoch, its loss, the time that is left."""
        parts = [f"{job.epoch}/{job.epochs}"] if job.epochs else []
        if job.val_loss is not None:
            loss = self.number(job.val_loss)
            parts.append(self.text(message("validation loss {loss}", loss=loss)))
        if job.seconds_left and job.seconds_left >= 1:
            time = f"{job.seconds_left:.0f} s"
            parts.append(self.text(message("about {time} left", time=time)))
        return " · ".join(parts)

    def _progress(self) -> Progress:
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[course]}"),
            TimeElapsedColumn(),
            console=self.err,
            transient=True,
            disable=self.as_json,
        )

    def _table(self, headings: Sequence[Message], rows: Iterable[Sequence[object]]) -> Table:
        from rich.table import Column, Table

        named, *others = map(self.text, headings)
        whole = Column(named, no_wrap=True)  # what a row is called by is copied from here
        table = Table(whole, *others, show_edge=False, pad_edge=False)
        for row in rows:
            table.add_row(*(_plain(cell) for cell in row))
        return table


def _plain(cell: object) -> Text:
    """Show a cell as it is: no markup, and nothing that would steer the terminal."""
    from rich.text import Text

    return Text("".join(c if _is_shown(c) else "\N{REPLACEMENT CHARACTER}" for c in str(cell)))


def _is_shown(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"
