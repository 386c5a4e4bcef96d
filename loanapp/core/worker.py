"""The training process: takes the lock, trains, tells its job what happens, and ends.

Run as ``python -m loanapp.core.worker JOB_FOLDER``. Nothing heavy is imported before the lock is
held and the starter has had its answer.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import psutil
from filelock import FileLock, Timeout

from loanapp.core.errors import LoanappError, Message, message
from loanapp.core.events import append, end
from loanapp.core.home import Home
from loanapp.core.jobs import BUSY, REQUEST, STARTED, Jobs, Request
from loanapp.core.logs import configure_logging
from loanapp.core.settings import Settings

if TYPE_CHECKING:
    from loanapp.core.model.regressor import Epoch

NICENESS = 10
WATCH_S = 0.5
STOP_S = 5.0
LOCK_WAIT_S = 5  # a killed process holds it until its last thread has gone
SHARES = {
    "start": 0.0, "read": 0.15, "fit": 0.2, "evaluate": 0.75,
    "bundle": 0.78, "log": 0.8, "register": 0.92, "promote": 0.95,
}  # fmt: skip

logger = logging.getLogger("loanapp.core.worker")


class Stopped(BaseException):
    """The training was asked to stop, or went beyond its limits."""


class Stopping:
    """Lets a training be stopped, by a signal or by its limits, until it is committed.

    Parameters
    ----------
    folder
        Of the job.
    settings
        ``training_time_limit_s`` and ``training_memory_limit_mb``.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder, self._settings = folder, settings
        self._asked, self._over = False, Event()
        self._watch = Thread(target=self._keep_limits, daemon=True, name="limits")
        self.reason: Message | None = None

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, self._on_signal)
        self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()

    def check(self) -> None:
        """Raise Stopped where that was asked for, even if a library has swallowed the signal's."""
        if self._asked or self.reason:
            raise Stopped

    def commit(self) -> None:
        """Do what comes now whole: whoever asks to stop comes too late. Raises Stopped."""
        if self._over.is_set():
            return
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._over.set()
        self._watch.join()
        self.check()
        append(self._folder, committed=True)

    def _on_signal(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._asked = True
        raise Stopped

    def _keep_limits(self) -> None:
        """Stop a training that takes too long or too much memory."""
        begun, process = time.monotonic(), psutil.Process()
        while not self._over.wait(WATCH_S):
            self.reason = _beyond(self._settings, time.monotonic() - begun, process)
            if self.reason:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
                if not self._over.wait(STOP_S):  # it does not come to itself
                    end(self._folder, "failed", reason=self.reason)
                    os._exit(1)


def _beyond(settings: Settings, taken_s: float, process: psutil.Process) -> Message | None:
    """Say which limit a training has gone beyond."""
    limit_mb, limit_s = settings.training_memory_limit_mb, settings.training_time_limit_s
    if taken_s > limit_s:
        return message(
            "The training took longer than {limit} seconds (LOANAPP_TRAINING_TIME_LIMIT_S).",
            limit=limit_s,
        )
    if limit_mb and process.memory_info().rss > limit_mb * 1_000_000:
        return message(
            "The training took more than {limit} MB (LOANAPP_TRAINING_MEMORY_LIMIT_MB).",
            limit=limit_mb,
        )
    return None


class Progress:
    """Tells the job where the training stands, and estimates how long it will take.

    Parameters
    ----------
    folder
        Of the job.
    stopping
        Asked at every step whether to go on.
    """

    def __init__(self, folder: Path, stopping: Stopping) -> None:
        self._folder, self._stopping = folder, stopping
        self._fit_begun = time.monotonic()

    def __call__(self, phase: str, epoch: Epoch | None = None) -> None:
        """Tell a phase, or an epoch of the fit. Raises Stopped."""
        self._stopping.check()
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
    jobs = Jobs(home)
    try:
        with FileLock(home.lock("training"), timeout=LOCK_WAIT_S):
            if jobs.read(folder.name).state == "cancelled":  # before it began
                _answer(STARTED)
                return 0
            with Stopping(folder, settings) as stopping:
                _train(folder, jobs, settings, request, stopping)
    except Timeout:
        _answer(BUSY)
        return 75
    return 0


def _begin(folder: Path) -> None:
    """Say that the training runs."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    append(folder, state="running")
    _answer(STARTED)


def _answer(line: bytes) -> None:
    """Answer the starter, then let go of the pipe: it may be gone before this process is."""
    sys.stdout.buffer.write(line)
    sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _train(
    folder: Path, jobs: Jobs, settings: Settings, request: Request, stopping: Stopping
) -> None:
    try:
        _begin(folder)
        configure_logging(settings, "training", terminal=False)
        jobs.recover()
        from loanapp.core.retraining import retrain

        rows, progress = folder / "data.parquet", Progress(folder, stopping)
        result = retrain(settings, request, rows, progress, stopping.commit)
        stopping.commit()
        end(folder, "finished", result=_as_json(result), share=1.0)
    except Stopped:
        if stopping.reason:
            end(folder, "failed", reason=stopping.reason)
        else:
            end(folder, "cancelled")
    except Exception as error:
        end(folder, "failed", reason=_reason(error))
        logger.exception("training failed", extra={"job": folder.name})


def _reason(error: Exception) -> Message:
    """Say why a training failed."""
    if isinstance(error, LoanappError):
        return error.message
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return message("There is not enough memory for this file.")
    if isinstance(error, OSError):
        why = "The training could not write its files: {reason}."
        return message(why, reason=error.strerror or type(error).__name__)
    return message("The training ended unexpectedly; logs/training.log says more.")


def _as_json(result: object) -> Any:
    from pydantic import TypeAdapter

    from loanapp.core.answers import TrainingResult

    return TypeAdapter(TrainingResult).dump_python(result, mode="json")  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
