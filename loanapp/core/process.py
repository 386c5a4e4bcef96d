"""The training process as others see it: started, found again, asked to end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from loanapp.core.home import TEMPORARY
from loanapp.core.settings import Settings

KILL_WAIT_S = 0.5


def spawn(folder: Path, settings: Settings) -> subprocess.Popen[bytes]:
    """Start the process of a job: in a session of its own, with its errors in the job.

    Its temporary files lie in the job too: whatever ends the process, they go with the job's rows.
    """
    (folder / TEMPORARY).mkdir()
    environment = os.environ | {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "TMPDIR": str((folder / TEMPORARY).absolute()),
    }
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


def identify(pid: int) -> dict[str, Any]:
    """Give what a process is found again by: its number alone may be another's one day."""
    return {"pid": pid, "process_started": psutil.Process(pid).create_time()}


def find(facts: Mapping[str, Any]) -> psutil.Process | None:
    """Give the process that `identify` told of, if that very process still runs."""
    pid, started = facts.get("pid"), facts.get("process_started")
    if pid is None or started is None:
        return None
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def ask_to_end(process: psutil.Process, grace_s: float) -> bool:
    """Ask a process to end; tells whether it did."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs([process], timeout=grace_s)
    return not alive


def kill(process: psutil.Process) -> None:
    """End a process with its children."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [*process.children(recursive=True), process]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=KILL_WAIT_S)
