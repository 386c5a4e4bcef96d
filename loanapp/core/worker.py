"""The training process: takes the lock, trains, tells its job what happens, and ends.

Run as ``python -m loanapp.core.worker JOB_FOLDER``. Nothing heavy is imported before the lock is
held and the starter has had its answer.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import psutil
from filelock import FileLock, Timeout

from loanapp.core.errors import LoanappError, Message, message
from loanapp.core.home import Home
from loanapp.core.jobs import BUSY, REQUEST, STARTED, Jobs, Request, append, clean
from loanapp.core.logs import configure_logging
from loanapp.core.settings import Settings

if TYPE_CHECKING:
    from loanapp.core.model.regressor import Epoch

NICENESS = 10
WATCH_S = 0.5
LOCK_WAIT_S = 5  # a killed process holds it until its last thread has gone
SHARES = {
    "start": 0.0, "read": 0.15, "fit": 0.2, "evaluate": 0.75,
    "bundle": 0.78, "log": 0.8, "register": 0.92, "promote": 0.95,
}  # fmt: skip

logger = logging.getLogger("loanapp.core.worker")


class Cancelled(BaseException):
    """The training was asked to stop."""


class Progress:
    """Tells the job where the training stands, and estimates how long it will take.

    Parameters
    ----------
    folder
        Of the job.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._begun = folder, time.monotonic()
        self._fit_begun = self._begun

    def __call__(self, phase: str, epoch: Epoch | None = None) -> None:
        """Tell a phase, or an epoch of the fit."""
        share = SHARES[phase]
        facts: dict[str, Any] = {"phase": phase}
        if epoch:
            part = epoch.epoch / max(epoch.epochs, 1)
            share += part * (SHARES["evaluate"] - SHARES["fit"])
            left = (time.monotonic() - self._fit_begun) * (1 - part) / part if part else None
            facts |= {
                "epoch": epoch.epoch,
                "epochs": epoch.epochs,
                "loss": float(epoch.loss),
                "val_loss": float(epoch.val_loss),
                "seconds_left": round(left, 1) if left is not None else None,
            }
        elif phase == "fit":
            self._fit_begun = time.monotonic()
        append(self._folder, **facts, share=round(share, 4))


def main(folder: Path) -> int:
    """Do one training; gives the process's exit code."""
    request = REQUEST.validate_json((folder / "request.json").read_bytes())
    settings = Settings(**request.settings)
    home = Home(settings.home)
    try:
        with FileLock(home.lock("training"), timeout=LOCK_WAIT_S):
            if not _begin(folder, Jobs(home)):
                return 0
            configure_logging(settings, "training", terminal=False)
            Jobs(home).recover()
            _train(folder, home, settings, request)
    except Timeout:
        _answer(BUSY)
        return 75
    return 0


def _begin(folder: Path, jobs: Jobs) -> bool:
    """Say that the training runs, and in which process; from here a signal cancels it.

    Returns False where it was cancelled before it began.
    """
    signal.signal(signal.SIGTERM, _cancel)
    if jobs.read(folder.name).state == "cancelled":
        _answer(STARTED)
        return False
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    process = psutil.Process()
    append(folder, state="running", pid=process.pid, process_started=process.create_time())
    _answer(STARTED)
    return True


def _answer(line: bytes) -> None:
    """Answer the starter, then let go of the pipe: it may be gone before this process is."""
    sys.stdout.buffer.write(line)
    sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _cancel(*_: object) -> None:
    raise Cancelled


def _train(folder: Path, home: Home, settings: Settings, request: Request) -> None:
    done = Event()
    watch = Thread(target=_watch, args=(folder, settings, done), daemon=True, name="watch")
    watch.start()
    try:
        from loanapp.core.retraining import retrain

        result = retrain(home, settings, request, folder / "data.parquet", Progress(folder), commit)
        _end(folder, "finished", result=_as_json(result), share=1.0, seconds_left=0)
    except Cancelled:
        _end(folder, "cancelled")
    except LoanappError as error:
        logger.warning("training failed", extra={"job": folder.name, "why": str(error)})
        _end(folder, "failed", reason=error.message)
    except OSError as error:
        logger.exception("training failed", extra={"job": folder.name})
        why = "The training could not write its files: {reason}."
        _end(folder, "failed", reason=message(why, reason=error.strerror or str(error)))
    except MemoryError:
        _end(folder, "failed", reason=message("There is not enough memory for this file."))
    except Exception:
        logger.exception("training failed", extra={"job": folder.name})
        why = "The training ended unexpectedly; logs/training.log says more."
        _end(folder, "failed", reason=message(why))
    finally:
        done.set()


def commit() -> None:
    """Do the last steps whole: a cancellation that comes now comes too late."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _end(folder: Path, state: str, **facts: Any) -> None:
    """Say the last word; what it worked on goes first, since the disk may be full."""
    clean(folder)
    append(folder, state=state, finished_at=datetime.now(UTC), **facts)


def _as_json(result: object) -> Any:
    from pydantic import TypeAdapter

    from loanapp.core.answers import TrainingResult

    return TypeAdapter(TrainingResult).dump_python(result, mode="json")  # type: ignore[arg-type]


def _watch(folder: Path, settings: Settings, done: Event) -> None:
    """End the process when it takes too long or too much memory."""
    process, begun = psutil.Process(), time.monotonic()
    while not done.wait(WATCH_S):
        reason: Message | None = None
        if time.monotonic() - begun > settings.training_time_limit_s:
            reason = message(
                "The training took longer than {limit} seconds (LOANAPP_TRAINING_TIME_LIMIT_S).",
                limit=settings.training_time_limit_s,
            )
        elif _too_large(process, settings.training_memory_limit_mb):
            reason = message(
                "The training took more than {limit} MB (LOANAPP_TRAINING_MEMORY_LIMIT_MB).",
                limit=settings.training_memory_limit_mb,
            )
        if reason:
            _end(folder, "failed", reason=reason)
            os._exit(1)


def _too_large(process: psutil.Process, limit_mb: int) -> bool:
    return bool(limit_mb) and process.memory_info().rss > limit_mb * 1_000_000


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
