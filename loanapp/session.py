"""One run of a command: its settings, whom it works with, its files, how it ends."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import typer
from pydantic import ValidationError

from loanapp.core.errors import InvalidSchema, LoanappError, TrainingFailed, message
from loanapp.core.settings import Language, Settings
from loanapp.listings import show_trained
from loanapp.terminal import Terminal, WrongUsage

if TYPE_CHECKING:
    import pyarrow as pa

    from loanapp.client import Client
    from loanapp.core.access import Role
    from loanapp.core.answers import Job
    from loanapp.core.service import Service

FORMATS = (".csv", ".parquet", ".xlsx")
STANDARD = Path("-")


@contextmanager
def session(language: Language | None = None, *, as_json: bool = False) -> Iterator[Terminal]:
    """Run a command: an error of the product ends it with a sentence and a code of its own."""
    terminal = Terminal(language or _setting_of_language(), as_json)
    try:
        yield terminal
    except LoanappError as error:
        terminal.error(error)
        raise typer.Exit(terminal.exit_code(error)) from error


def read_settings() -> Settings:
    """Read the settings. Raises InvalidSchema with every setting that cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
        raise InvalidSchema(
            message("The settings cannot be used: {faults}", faults=faults)
        ) from error


@contextmanager
def backend(url: str | None) -> Iterator[Service | Client]:
    """Give the service of this machine's store, or the client of a remote API."""
    from loanapp.core.logs import configure_logging

    settings = read_settings()
    with ExitStack() as stack:
        chosen: Service | Client
        if url:
            from loanapp.client import Client

            token = settings.api_token.get_secret_value() if settings.api_token else None
            chosen = Client(url, token=token, timeout_s=settings.remote_timeout_s)
        else:
            from loanapp.core.data.limits import Limits
            from loanapp.core.service import Service

            configure_logging(settings, "cli", terminal=False)
            # A file of this machine is no upload: it may be as large as the disk allows.
            limits = replace(Limits.from_settings(settings), bytes=sys.maxsize)
            chosen = Service(settings, limits)
        stack.callback(chosen.close)
        yield chosen


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a client file; ``-`` is standard input, spooled since readers go back and forth."""
    if path != STANDARD:
        with _readable(path) as file:
            yield file
        return
    with tempfile.SpooledTemporaryFile(1 << 20) as spooled:
        while block := sys.stdin.buffer.read(1 << 20):
            spooled.write(block)
        spooled.seek(0)
        yield cast(BinaryIO, spooled)


def _readable(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise WrongUsage(
            message("{path} cannot be read: {reason}.", path=str(path), reason=error.strerror)
        ) from error


def name_of(path: Path) -> str:
    """Give a file's name; none for standard input."""
    return "" if path == STANDARD else path.name


def check_output(path: Path, *, as_json: bool = False) -> None:
    """Refuse at once what could not be written after the work."""
    if path == STANDARD:
        if as_json:
            raise WrongUsage(message("--json writes to standard output: name a file with -o."))
        return
    if path.suffix.lower() not in FORMATS:
        raise WrongUsage(
            message("{path}: the name must end in {formats}.",
                    path=str(path), formats=", ".join(FORMATS))
        )  # fmt: skip
    if not path.absolute().parent.is_dir():
        folder = str(path.absolute().parent)
        raise WrongUsage(message("There is no folder {folder}.", folder=folder))


def write(table: pa.Table, path: Path, *, excel: bool = False) -> None:
    """Write a table in the format that the name says; an earlier file is replaced at the end."""
    from loanapp.core.data.export import split

    write_blocks(split(table), path, excel=excel)


def write_blocks(blocks: Iterable[pa.Table], path: Path, *, excel: bool = False) -> None:
    """Write a table that comes in blocks; where making one fails, nothing was written."""
    from loanapp.core.data import export

    if path == STANDARD:
        with tempfile.TemporaryFile() as spool:
            export.write_blocks(blocks, spool, "csv", excel=excel)
            spool.seek(0)
            shutil.copyfileobj(spool, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    partial = path.with_name(f".partial-{path.name}")
    try:
        with partial.open("wb") as sink:
            export.write_blocks(blocks, sink, path.suffix.lower().removeprefix("."), excel=excel)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def author_or_user(author: str | None) -> str:
    """Give the author, or the name of the user who runs the command."""
    if author is not None:
        return author
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def new_token(terminal: Terminal, name: str, role: Role) -> None:
    """Draw a token, and show it this once with the line that is kept of it."""
    from loanapp.core.access import make_token

    try:
        drawn, kept = make_token(name, role)
    except ValueError as error:
        raise WrongUsage(
            message("The name has 1 to 64 letters, digits and signs of . @ - _.")
        ) from error
    if terminal.as_json:
        terminal.write_json({"token": drawn, "line": kept.line})
        return
    terminal.say(message("The token, shown only now, and its line for LOANAPP_API_TOKENS:"))
    sys.stdout.write(f"{drawn}\n{kept.line}\n")


def watch(terminal: Terminal, work: Service | Client, job_id: str) -> Job | None:
    """Show a training until it ends; whoever interrupts is told how to stop it."""
    try:
        return terminal.follow(work.follow(job_id))
    except KeyboardInterrupt:
        terminal.say(
            message(
                "The training goes on. Watch it with: loanapp jobs follow {id} · stop it with:"
                " loanapp jobs cancel {id}",
                id=job_id,
            )
        )
        raise typer.Exit(130) from None


def finish(terminal: Terminal, job: Job | None) -> None:
    """Show what a training came to. Raises TrainingFailed where it ended without a model."""
    if job is None or job.result is None:
        reason = job.reason if job else None
        raise TrainingFailed(reason or message("The training was stopped before its end."))
    show_trained(terminal, job.result)


def _setting_of_language() -> Language:
    chosen = os.environ.get("LOANAPP_LANGUAGE", "")
    if chosen in ("fr", "en"):
        return cast(Language, chosen)
    try:
        return Settings().language
    except ValidationError:
        return "fr"
