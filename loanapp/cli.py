"""The command line. Results go to standard output, everything else to standard error."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from loanapp.client import Client
    from loanapp.core.service import Service
    from loanapp.terminal import Terminal

# Scoring brings its own threads: those of the linear algebra library would only fight with them.
# It reads this when NumPy is imported, which nothing above does.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

EXIT_CODES = """Exit codes: 0 done · 1 unexpected · 2 wrong usage · 3 file refused · 4 no such
model, version or training · 5 another training runs · 6 the training failed · 7 the store or the
remote API does not answer · 8 cannot start (settings, contract, address) · 9 not allowed (token) ·
130 interrupted"""

app = typer.Typer(
    help="Predict the amount of a loan from a client file, and look after the model.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models = typer.Typer(help="List, promote and roll back versions.", no_args_is_help=True)
jobs = typer.Typer(help="List, follow and cancel trainings.", no_args_is_help=True)
app.add_typer(models, name="models")
app.add_typer(jobs, name="jobs")


File = Annotated[Path, typer.Argument(help="The client file (CSV, Excel, Parquet); - reads stdin.")]
Url = Annotated[
    str | None, typer.Option(help="Work on a remote API instead of the store of this machine.")
]
Lang = Annotated[Literal["fr", "en"] | None, typer.Option(help="Language of the texts.")]
Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON, for scripts.")]
Author = Annotated[str | None, typer.Option(help="Who decides. Default: your user name.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the history.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on.")]


@app.command()
def serve(host: Host = "127.0.0.1", port: Port = 8501) -> None:
    """Start the app, with its API at /api."""
    with _loading_fast(), _terminal() as terminal:
        from loanapp.server import create_server, run
        from loanapp.session import read_settings

        terminal.say(
            f"Loanapp: http://{_shown(host)}:{port} · API: http://{_shown(host)}:{port}/api"
        )
        settings = read_settings()
        run(create_server(settings), host, port, settings=settings)


@app.command()
def api(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many processes answer.")] = 1,
) -> None:
    """Start the API alone."""
    with _loading_fast(), _terminal() as terminal:
        from loanapp.server import create_api, run
        from loanapp.session import read_settings

        settings = read_settings()
        terminal.say(f"API: http://{_shown(host)}:{port} · http://{_shown(host)}:{port}/docs")
        if workers > 1:
            make = "loanapp.server:create_api"
            run(make, host, port, settings=settings, workers=workers, factory=True)
        else:
            run(create_api(settings), host, port, settings=settings)


@app.command()
def mlflow(host: Host = "127.0.0.1", port: Port = 5000) -> None:
    """Start MLflow's own interface over the same store."""
    with _terminal() as terminal:
        from loanapp.session import read_settings
        from loanapp.tracking_server import run_mlflow

        terminal.say(f"MLflow: http://{_shown(host)}:{port}")
        run_mlflow(read_settings(), host, port)


@app.command()
def train(
    file: File,
    promotion: Annotated[
        Literal["always", "better", "manual"] | None,
        typer.Option(help="When the new model goes live."),
    ] = None,
    features: Annotated[
        Literal["all", "lawful"] | None,
        typer.Option(help="lawful: without the protected columns."),
    ] = None,
    data: Annotated[
        Literal["new", "all"],
        typer.Option(help="all: with the files of earlier versions, without double rows."),
    ] = "new",
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="The same seed gives the same model.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Train even where the same was trained before.")
    ] = False,
    author: Author = None,
    reason: Reason = "",
    url: Url = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Train a model on a client file that holds the amounts."""
    with _backend(url, lang, as_json) as (terminal, backend):
        from loanapp.core.answers import TrainingOptions
        from loanapp.session import author_or_user, finish, name_of, opened, watch

        options = TrainingOptions(
            promotion=promotion,
            features=features,
            data=data,
            seed=seed,
            force=force,
            author=author_or_user(author),
            reason=reason,
        )
        with opened(file) as source:
            job = backend.start_training(source, options, file_name=name_of(file))
        finish(terminal, watch(terminal, backend, job.id))


@app.command()
def predict(
    file: File,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help=".csv, .parquet or .xlsx; - writes CSV to stdout."),
    ] = Path("-"),
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Score the good rows, name the others.")
    ] = False,
    rejected: Annotated[
        Path | None, typer.Option(help="Where to write the refused rows with their reasons.")
    ] = None,
    interval: Annotated[
        bool, typer.Option("--interval", help="Add the 90 % interval and the expected amount.")
    ] = False,
    excel: Annotated[bool, typer.Option("--excel", help="CSV as a French Excel opens it.")] = False,
    url: Url = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Predict the amount of each client of a file."""
    with _backend(url, lang, as_json) as (terminal, backend):
        from loanapp.core.data.export import rejected_table
        from loanapp.core.errors import message
        from loanapp.core.prediction import Passing
        from loanapp.core.transfer import with_amounts
        from loanapp.listings import show_prediction
        from loanapp.session import check_output, opened, write, write_blocks

        check_output(output, as_json=as_json)
        with opened(file) as source, terminal.progress(message("Predicting…")) as progress:
            blocks = backend.predict_blocks(source, skip_invalid=skip_invalid, interval=interval)
            passing = Passing(blocks, progress)
            tables = (with_amounts(block, interval=interval) for block in passing)
            write_blocks(tables, output, excel=excel)
        if rejected and passing.rejected:
            titles = (terminal.text(message("Line")), terminal.text(message("Reason")))
            write(rejected_table(passing.rejected, terminal.text, titles), rejected, excel=excel)
        show_prediction(terminal, passing, output)


@app.command()
def sample(
    n: Annotated[int, typer.Option("-n", min=1, max=10_000_000, help="How many clients.")] = 1000,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help=".csv, .parquet or .xlsx; - writes CSV to stdout."),
    ] = Path("-"),
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same clients.")] = 0,
    target: Annotated[bool, typer.Option(help="Whether to add the amounts.")] = True,
    missing: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the cells left empty.")
    ] = 0.0,
) -> None:
    """Write a file of clients who do not exist, to try with."""
    with _terminal():
        from loanapp.core.data.samples import sample_clients
        from loanapp.core.data.schema import load_schema
        from loanapp.session import check_output, read_settings, write

        check_output(output, as_json=False)
        schema = load_schema(read_settings().data_schema)
        write(sample_clients(schema, n, seed, target=target, missing=missing), output)


@app.command()
def health(url: Url = None, lang: Lang = None, as_json: Json = False) -> None:
    """Say which model serves; ends with 4 where none does."""
    with _backend(url, lang, as_json) as (terminal, backend):
        from loanapp.listings import show_health

        state = backend.health()
        show_health(terminal, state)
        if not state.model_available:
            raise typer.Exit(4)


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="Whom it is for; stands in the history.")],
    role: Annotated[
        Literal["read", "predict", "train", "admin"], typer.Option(help="What it lets them do.")
    ] = "predict",
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Make a token for the API, and the line that lets it in."""
    from loanapp.session import new_token, session

    with session(lang, as_json=as_json) as terminal:
        new_token(terminal, name, role)


@models.command("list")
def list_models(url: Url = None, lang: Lang = None, as_json: Json = False) -> None:
    """List the registered versions, newest first."""
    with _backend(url, lang, as_json) as (terminal, backend):
        from loanapp.listings import show_versions

        show_versions(terminal, list(backend.models()))


@models.command()
def promote(
    version: str,
    author: Author = None,
    reason: Reason = "",
    url: Url = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Make a version serve, in every process that shares the store."""
    with _backend(url, lang, as_json) as (terminal, backend):
        from loanapp.listings import show_live
        from loanapp.session import author_or_user

        show_live(terminal, backend.promote(version, author=author_or_user(author), reason=reason))


@models.command()
def rollback(
    author: Author = None,
    reason: Reason = "",
    url: Url = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Make the version that served before serve again; a second time goes further back."""
    with _backend(url, lang, as_json) as (terminal, backend):
        from loanapp.listings import show_live
        from loanapp.session import author_or_user

        show_live(terminal, backend.rollback(author=author_or_user(author), reason=reason))


@models.command()
def history(url: Url = None, lang: Lang = None, as_json: Json = False) -> None:
    """List every change of the model that serves, newest first."""
    with _backend(url, lang, as_json) as (terminal, backend):
        from loanapp.listings import show_history

        show_history(terminal, list(backend.history()))


@jobs.command("list")
def list_jobs(url: Url = None, lang: Lang = None, as_json: Json = False) -> None:
    """List the trainings, newest first."""
    with _backend(url, lang, as_json) as (terminal, backend):
        from loanapp.listings import show_jobs

        show_jobs(terminal, list(backend.jobs()))


@jobs.command()
def follow(job_id: str, url: Url = None, lang: Lang = None, as_json: Json = False) -> None:
    """Watch a training until it ends; it ends like `train`."""
    with _backend(url, lang, as_json) as (terminal, backend):
        from loanapp.session import finish, watch

        finish(terminal, watch(terminal, backend, job_id))


@jobs.command()
def cancel(job_id: str, url: Url = None, lang: Lang = None, as_json: Json = False) -> None:
    """Stop a training; one that has ended stays as it is."""
    with _backend(url, lang, as_json) as (terminal, backend):
        from loanapp.listings import show_jobs

        show_jobs(terminal, [backend.cancel(job_id)])


@contextmanager
def _loading_fast() -> Iterator[None]:
    """Look for no garbage until the server serves: a third of its start would go to that."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _terminal() -> Iterator[Terminal]:
    from loanapp.session import session

    with session() as terminal:
        yield terminal


@contextmanager
def _backend(
    url: str | None, lang: Literal["fr", "en"] | None, as_json: bool
) -> Iterator[tuple[Terminal, Service | Client]]:
    from loanapp.session import backend, session

    with session(lang, as_json=as_json) as terminal, backend(url) as work:
        yield terminal, work


def _shown(host: str) -> str:
    """Write a host as a browser takes it."""
    if host in ("0.0.0.0", "127.0.0.1", "::", "::1"):  # noqa: S104 - only shown
        return "localhost"
    return f"[{host}]" if ":" in host else host
