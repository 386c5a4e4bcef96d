"""What the command line shows of each record: a table for a person, the record for a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from loanapp.core.answers import (
    Health,
    HistoryEntry,
    Job,
    ModelVersion,
    TrainingResult,
)
from loanapp.core.data.report import Report
from loanapp.core.errors import Message, message
from loanapp.core.model.metrics import Metrics
from loanapp.terminal import Terminal

if TYPE_CHECKING:
    from loanapp.core.prediction import Passing

Record = TypeVar("Record")
Row = tuple[object, ...]

STATES: Mapping[str, Message] = {
    "queued": message("Waiting"),
    "running": message("Under way"),
    "finished": message("Finished"),
    "failed": message("Failed"),
    "cancelled": message("Cancelled"),
    "interrupted": message("Interrupted"),
}
ACTIONS: Mapping[str, Message] = {
    "train": message("Training"),
    "promote": message("Promotion"),
    "rollback": message("Return to the previous version"),
    "reconcile": message("Reconciliation with the registry"),
}
METRIC_COLUMNS = (message("Metric"), message("Value"))
VERSION_COLUMNS = (
    *(message("Version"), message("live"), message("MAE"), message("R²"), message("Rows")),
    *(message("Trained on"), message("Author"), message("File")),
)
HISTORY_COLUMNS = (
    *(message("When"), message("Version"), message("Before")),
    *(message("What"), message("Author"), message("Reason")),
)
JOB_COLUMNS = (
    *(message("Training"), message("State"), message("Share done"), message("When")),
    *(message("Author"), message("File"), message("Reason")),
)


def show_trained(terminal: Terminal, result: TrainingResult) -> None:
    """Show what a training came to."""
    if terminal.as_json:
        terminal.result(TrainingResult, result)
        return
    terminal.notes(result.report)
    terminal.headline(result.message)
    rows = [
        *_metric_rows(terminal, result.metrics),
        (terminal.text(message("Rows")), terminal.number(result.n_rows)),
        (terminal.text(message("MLflow run")), result.run_id),
    ]
    terminal.table(METRIC_COLUMNS, rows)


def show_prediction(terminal: Terminal, prediction: Passing, output: object) -> None:
    """Say what was predicted, by which version, and what the reader had to say."""
    report = prediction.report
    if terminal.as_json:
        facts = {
            "n_rows": prediction.rows,
            "model_version": prediction.version,
            "output": str(output),
        }
        terminal.write_json(facts | terminal.plain(Report, report))
        return
    terminal.notes(report)
    terminal.problems(report)
    terminal.say(
        message(
            "{count} clients, predicted by version {version} → {output}",
            count=prediction.rows - report.invalid_rows,
            version=prediction.version,
            output=str(output),
        )
    )


def show_health(terminal: Terminal, health: Health) -> None:
    """Show what serves."""
    if terminal.as_json:
        terminal.result(Health, health)
        return
    if health.model_version is None:
        terminal.say(message("No model serves yet."))
        return
    rows: list[Row] = [
        (terminal.text(message("Version")), health.model_version),
        (terminal.text(message("Trained on")), terminal.moment(health.trained_at)),
    ]
    if health.metrics:
        rows += _metric_rows(terminal, health.metrics)
    terminal.table(METRIC_COLUMNS, rows)
    if health.reload_error:
        terminal.say(health.reload_error)


def show_live(terminal: Terminal, version: ModelVersion) -> None:
    """Say which version serves now."""
    if terminal.as_json:
        terminal.result(ModelVersion, version)
        return
    terminal.say(message("Version {version} serves now.", version=version.version))


def show_versions(terminal: Terminal, versions: Sequence[ModelVersion]) -> None:
    """List versions."""

    def row(v: ModelVersion) -> Row:
        metrics = v.metrics
        return (
            v.version,
            "●" if v.champion else "",
            terminal.number(metrics.mae) if metrics else "",
            terminal.number(metrics.r2) if metrics else "",
            "" if v.rows is None else terminal.number(v.rows),
            terminal.moment(v.created_at),
            v.author,
            v.file_name,
        )

    _list(terminal, ModelVersion, versions, VERSION_COLUMNS, row)


def show_history(terminal: Terminal, entries: Sequence[HistoryEntry]) -> None:
    """List the changes of the model that serves."""

    def row(e: HistoryEntry) -> Row:
        action = terminal.text(ACTIONS[e.action])
        return terminal.moment(e.at), e.version, e.previous or "", action, e.author, e.reason

    _list(terminal, HistoryEntry, entries, HISTORY_COLUMNS, row)


def show_jobs(terminal: Terminal, jobs: Sequence[Job]) -> None:
    """List trainings."""

    def row(j: Job) -> Row:
        return (
            j.id,
            terminal.text(STATES[j.state]),
            f"{j.share:.0%}",
            terminal.moment(j.created_at),
            j.author,
            j.file_name,
            terminal.text(j.reason) if j.reason else "",
        )

    _list(terminal, Job, jobs, JOB_COLUMNS, row)


def _list(
    terminal: Terminal,
    kind: type[Record],
    records: Sequence[Record],
    columns: Sequence[Message],
    row: Callable[[Record], Row],
) -> None:
    if terminal.as_json:
        many: Any = list[kind]  # type: ignore[valid-type]
        terminal.result(many, list(records))
        return
    terminal.table(columns, map(row, records))


def _metric_rows(terminal: Terminal, metrics: Metrics) -> list[Row]:
    named = (("MAE", metrics.mae), ("MSE", metrics.mse), ("R²", metrics.r2))
    return [(name, terminal.number(value)) for name, value in named]
