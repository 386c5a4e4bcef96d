"""Trainings as jobs: each in its own process, told by a file of events that every process reads.

``jobs/<id>/request.json`` is what was asked for, ``data.parquet`` the checked rows (removed at the
end), ``events.jsonl`` what has happened, one line an event. A job is the fold of its events; one
whose process is gone without a last word was interrupted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from loanapp.core.answers import ACTIVE, Job, TrainingOptions
from loanapp.core.data.report import Report
from loanapp.core.errors import Message, TrainingBusy, UnknownJob, message
from loanapp.core.home import PARTIAL, Home
from loanapp.core.settings import Settings

STARTED, BUSY = b"started\n", b"busy\n"
CANCEL_GRACE_S = 1.2
CANCEL_START_S = 0.6
START_GRACE_S = 20.0
POLL_S = 0.2
KEPT = 200

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What a training process is asked to do.

    Parameters
    ----------
    settings
        Of the process that asks; secrets are left out.
    options
        The choices, with every default filled in.
    file_name
        Name of the client file.
    report
        What the reader said of it.
    """

    settings: dict[str, Any]
    options: TrainingOptions
    file_name: str
    report: Report


REQUEST, _JOB = TypeAdapter(Request), TypeAdapter(Job)


class Jobs:
    """The trainings of one installation.

    Parameters
    ----------
    home
        Where they lie.
    """

    def __init__(self, home: Home) -> None:
        self._home = home

    def folder(self, job_id: str) -> Path:
        """Folder of a job. Raises UnknownJob."""
        folder = self._home.jobs / job_id
        if not job_id.isalnum() or not (folder / "request.json").is_file():
            raise UnknownJob(message("There is no training {id}.", id=job_id[:40]))
        return folder

    def start(self, settings: Settings, request: Request, data: pa.Table) -> Job:
        """Write a request and start its process.

        Raises
        ------
        TrainingBusy
            Another training runs in this home.
        """
        self._refuse_if_busy()
        job_id = f"{datetime.now(UTC):%Y%m%d%H%M%S}{secrets.token_hex(3)}"
        folder = self._write(job_id, request, data)
        process = _spawn(folder, settings)
        assert process.stdout is not None  # noqa: S101 - it was asked for
        answer = process.stdout.readline()
        process.stdout.close()
        Thread(target=process.wait, daemon=True, name=f"reap-{job_id}").start()
        if answer == BUSY:
            shutil.rmtree(folder)
            self._refuse_if_busy()
            raise TrainingBusy(message("Another training is running."))
        if answer != STARTED:
            why = "The training process could not start; jobs/{id}/process.log says more."
            append(folder, state="failed", finished_at=_now(), reason=message(why, id=job_id))
            clean(folder)
        logger.info("training started", extra={"job": job_id, "rows": data.num_rows})
        return self.read(job_id)

    def read(self, job_id: str) -> Job:
        """Give a job as it stands now. Raises UnknownJob."""
        events = self.folder(job_id) / "events.jsonl"
        facts = _fold(events)
        if facts["state"] in ACTIVE and not _underway(facts):
            facts = _fold(events)  # its last word may have come in between
            if facts["state"] in ACTIVE:
                facts |= {"state": "interrupted", "seconds_left": None}
        return _JOB.validate_python({"id": job_id, **facts})

    def all(self) -> list[Job]:
        """The jobs, newest first."""
        if not self._home.jobs.is_dir():
            return []
        found = (p.name for p in self._home.jobs.iterdir() if (p / "request.json").is_file())
        return [self.read(job_id) for job_id in sorted(found, reverse=True)]

    def follow(self, job_id: str) -> Iterator[Job]:
        """Yield the job each time it has moved on, until it has ended. Raises UnknownJob."""
        seen: Job | None = None
        while True:
            job = self.read(job_id)
            if job != seen:
                yield job
            if not job.active:
                return
            seen = job
            time.sleep(POLL_S)

    def cancel(self, job_id: str) -> Job:
        """Stop a job within two seconds; one that has ended stays as it is. Raises UnknownJob."""
        if not self.read(job_id).active:
            return self.read(job_id)
        folder = self.folder(job_id)
        process = _await_process(folder / "events.jsonl")
        if process:
            _stop(process)
        if self.read(job_id).state in ("interrupted", *ACTIVE):
            append(folder, state="cancelled", finished_at=_now())
        clean(folder)
        logger.info("training cancelled", extra={"job": job_id})
        return self.read(job_id)

    def recover(self) -> None:
        """Give jobs whose process is gone their last word, and forget the oldest ones.

        Only to be called under the training lock.
        """
        for number, job in enumerate(self.all()):
            folder = self.folder(job.id)
            if job.state == "interrupted" and _fold(folder / "events.jsonl")["state"] in ACTIVE:
                append(folder, state="interrupted", finished_at=_now(), seconds_left=None)
                logger.warning("training interrupted", extra={"job": job.id})
            if not job.active:
                clean(folder)
                if number >= KEPT:
                    shutil.rmtree(folder, ignore_errors=True)

    def _refuse_if_busy(self) -> None:
        for job in self.all():
            if job.active:
                raise TrainingBusy(
                    message(
                        "A training is running since {since}, started by {author}.",
                        since=f"{job.created_at:%Y-%m-%d %H:%M} UTC",
                        author=job.author or message("somebody who left no name"),
                    ),
                    job.id,
                    max(1, round(job.seconds_left or 30)),
                )

    def _write(self, job_id: str, request: Request, data: pa.Table) -> Path:
        partial = self._home.jobs / f"{PARTIAL}{job_id}"
        partial.mkdir(parents=True)
        try:
            pq.write_table(data, partial / "data.parquet")
            (partial / "request.json").write_bytes(REQUEST.dump_json(request))
            append(
                partial, state="queued", created_at=_now(), file_name=request.file_name,
                author=request.options.author, rows=data.num_rows,
            )  # fmt: skip
            return partial.rename(self._home.jobs / job_id)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def append(folder: Path, **facts: Any) -> None:
    """Add an event to a job: the facts that have changed, in one write."""
    line = json.dumps(facts, ensure_ascii=False, default=_plain) + "\n"
    handle = os.open(folder / "events.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


def clean(folder: Path) -> None:
    """Remove what a job worked on; its request and its events stay."""
    for path in folder.glob("*.parquet"):
        path.unlink(missing_ok=True)


def _plain(value: object) -> object:
    if isinstance(value, Message):
        return TypeAdapter(Message).dump_python(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _now() -> datetime:
    return datetime.now(UTC)


def _age_s(moment: str) -> float:
    return (_now() - datetime.fromisoformat(moment)).total_seconds()


def _fold(events: Path) -> dict[str, Any]:
    """Put a job's events together. A torn last line, left by a full disk, does not count."""
    facts: dict[str, Any] = {}
    losses: list[float] = []
    val_losses: list[float] = []
    for line in events.read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            facts |= event
            if "loss" in event:
                losses.append(event["loss"])
                val_losses.append(event["val_loss"])
    return facts | {"losses": losses, "val_losses": val_losses}


def _spawn(folder: Path, settings: Settings) -> subprocess.Popen[bytes]:
    """Start the training process: niced, in a session of its own, with its errors in the job."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0"}
    if settings.training_threads:
        environment["OMP_NUM_THREADS"] = str(settings.training_threads)
    with (folder / "process.log").open("wb") as errors:
        return subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-m", "loanapp.core.worker", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            start_new_session=True,
        )


def _process(facts: dict[str, Any]) -> psutil.Process | None:
    """Give the process of a job, if that very process still runs."""
    pid, started = facts.get("pid"), facts.get("process_started")
    if pid is None or started is None:
        return None
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _await_process(events: Path) -> psutil.Process | None:
    """Give the process of a job, waiting for one that is only just being started."""
    deadline = time.monotonic() + CANCEL_START_S
    while "pid" not in _fold(events) and time.monotonic() < deadline:
        time.sleep(0.02)
    return _process(_fold(events))


def _underway(facts: dict[str, Any]) -> bool:
    """Tell whether a job's process runs, or is only just being started."""
    starting = "pid" not in facts and _age_s(facts["created_at"]) < START_GRACE_S
    return starting or _process(facts) is not None


def _stop(process: psutil.Process) -> None:
    """Ask a process to end, and end it with its children where it does not."""
    with contextlib.suppress(psutil.Error):
        family = [process, *process.children(recursive=True)]
        process.send_signal(signal.SIGTERM)
        _, stubborn = psutil.wait_procs(family, timeout=CANCEL_GRACE_S)
        for survivor in stubborn:
            survivor.kill()
        psutil.wait_procs(stubborn, timeout=1)
