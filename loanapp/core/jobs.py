"""Trainings as jobs: each in its own process, told by a file of events that every process reads.

``jobs/<id>/request.json`` is what was asked for, ``data.parquet`` the checked rows (removed at the
end), ``events.jsonl`` what has happened. A job is the fold of its events; one whose process is gone
without a last word was interrupted.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from pydantic import TypeAdapter

from loanapp.core.answers import ACTIVE, Job, TrainingOptions
from loanapp.core.data.report import Report
from loanapp.core.errors import StoreUnavailable, TrainingBusy, UnknownJob, message
from loanapp.core.events import append, clean, end, fold
from loanapp.core.home import PARTIAL, Home
from loanapp.core.process import ask_to_end, find, identify, kill, spawn
from loanapp.core.settings import Settings

STARTED, BUSY = b"started\n", b"busy\n"
GONE = message(
    "The training process is gone without a last word: it was killed, the machine was restarted, or"
    " its memory ran out."
)
CANCEL_GRACE_S = 1.2
START_GRACE_S = 5.0
START_LOCK_S = 10.0
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
        self._ended: dict[str, Job] = {}

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
        StoreUnavailable
            The disk does not take it.
        """
        self._refuse_if_busy()
        job_id = f"{datetime.now(UTC):%Y%m%d%H%M%S}{secrets.token_hex(3)}"
        folder = self._home.jobs / job_id
        starting = FileLock(self._home.lock("start"), START_LOCK_S)
        with _disk_errors(), self._prepared(folder, request, data) as partial, starting:
            self._refuse_if_busy()
            partial.rename(folder)
            process = spawn(folder, settings)
            append(folder, **identify(process.pid))
        logger.info("training started", extra={"job": job_id, "rows": data.num_rows})
        self._await_start(folder, process)
        return self.read(job_id)

    def read(self, job_id: str) -> Job:
        """Give a job as it stands now. Raises UnknownJob."""
        self.folder(job_id)
        job = self._ended.get(job_id) or self._read(job_id)
        if job.finished_at:
            self._ended[job_id] = job
        return job

    def all(self) -> list[Job]:
        """The jobs, newest first."""
        if not self._home.jobs.is_dir():
            return []
        names = sorted((path.name for path in self._home.jobs.iterdir()), reverse=True)
        jobs = []
        for name in names:
            with contextlib.suppress(UnknownJob):  # no job, or forgotten in between
                jobs.append(self.read(name))
        self._ended = {job.id: job for job in jobs if job.finished_at}
        return jobs

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
        """Stop a job within two seconds. Raises UnknownJob.

        One that has ended stays as it is, and so does one that is already about to go live: it is
        never stopped between two steps that belong together.
        """
        if not self.read(job_id).active:
            return self.read(job_id)
        process = find(self._facts(job_id))
        if process and not ask_to_end(process, CANCEL_GRACE_S):
            if self._facts(job_id).get("committed"):
                return self.read(job_id)
            kill(process)
        if self.read(job_id).state in ("interrupted", *ACTIVE):
            end(self.folder(job_id), "cancelled")
        logger.info("training cancelled", extra={"job": job_id})
        return self.read(job_id)

    def recover(self) -> int:
        """Give jobs whose process is gone their last word, and forget the oldest ones.

        Only to be called under the training lock. Says how many were interrupted.
        """
        interrupted = 0
        for number, job in enumerate(self.all()):
            folder = self.folder(job.id)
            if job.state == "interrupted" and job.finished_at is None:
                end(folder, "interrupted")
                logger.warning("training interrupted", extra={"job": job.id})
                interrupted += 1
            if not job.active:
                clean(folder)
                if number >= KEPT:
                    shutil.rmtree(folder, ignore_errors=True)
        return interrupted

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

    def _read(self, job_id: str) -> Job:
        facts = self._facts(job_id)
        if facts["state"] in ACTIVE and not _underway(facts):
            facts = self._facts(job_id)  # its last word may have come in between
            if facts["state"] in ACTIVE:
                facts |= {"state": "interrupted", "seconds_left": None}
        if facts["state"] == "interrupted":
            facts |= {"reason": GONE}
        return _JOB.validate_python({"id": job_id, **facts})

    def _facts(self, job_id: str) -> dict[str, Any]:
        try:
            return fold(self.folder(job_id))
        except FileNotFoundError as error:  # it was forgotten in between
            raise UnknownJob(message("There is no training {id}.", id=job_id)) from error

    @contextlib.contextmanager
    def _prepared(self, folder: Path, request: Request, data: pa.Table) -> Iterator[Path]:
        """Write a job beside its place; where it cannot be started nothing of it stays."""
        partial = folder.with_name(f"{PARTIAL}{folder.name}")
        partial.mkdir(parents=True)
        try:
            pq.write_table(data, partial / "data.parquet")
            (partial / "request.json").write_bytes(REQUEST.dump_json(request))
            append(
                partial, state="queued", created_at=datetime.now(UTC), rows=data.num_rows,
                file_name=request.file_name, author=request.options.author,
            )  # fmt: skip
            yield partial
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _await_start(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        """Wait until the process has taken the training lock. Raises TrainingBusy."""
        assert process.stdout is not None  # noqa: S101 - it was asked for
        with process.stdout:
            answer = process.stdout.readline()
        if answer == STARTED:
            Thread(target=process.wait, daemon=True, name=f"reap-{folder.name}").start()
            return
        code = process.wait()
        if answer == BUSY:
            shutil.rmtree(folder)
            self._refuse_if_busy()
            raise TrainingBusy(message("Another training is running."))
        if code >= 0:  # not killed by a signal, as a cancellation does
            why = "The training process could not start; jobs/{id}/process.log says more."
            end(folder, "failed", reason=message(why, id=folder.name))


def _underway(facts: dict[str, Any]) -> bool:
    """Tell whether a job's process runs, or is only just being started."""
    starting = "pid" not in facts and _age_s(facts["created_at"]) < START_GRACE_S
    return starting or find(facts) is not None


def _age_s(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = "The training could not write its files: {reason}."
        reason = error.strerror or type(error).__name__
        raise StoreUnavailable(message(why, reason=reason)) from error
