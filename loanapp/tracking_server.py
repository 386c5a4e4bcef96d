"""MLflow's own interface over the product's store, and MLflow's server for other installations."""

from __future__ import annotations

import contextlib
import os
import sys

import psutil

from loanapp.core.errors import StoreUnavailable, message
from loanapp.core.home import Home
from loanapp.core.settings import Settings
from loanapp.core.store.uri import tracking_uri

BACKEND = "MLFLOW_BACKEND_STORE_URI"
APPLICATION = "mlflow.server.fastapi_app:app"
ORPHAN_WAIT_S = 5


def run_mlflow(settings: Settings, host: str, port: int) -> None:
    """Become MLflow's server: one worker and no job runner; its default is nine processes.

    Without a word from the operator it serves the SQLite of this home and hands out its artefacts;
    MLflow's own variables (``MLFLOW_BACKEND_STORE_URI``, ``MLFLOW_ARTIFACTS_DESTINATION``, …) name
    other places. They stay variables: arguments, and the passwords in them, show in every list of
    processes. The process is replaced, so that signals and the exit code are MLflow's own; its
    worker is a child, which lives on where the parent is killed: that one is ended first.

    Raises
    ------
    StoreUnavailable
        The store is another server's.
    """
    if settings.tracking_uri and BACKEND not in os.environ:
        raise StoreUnavailable(
            message(
                "The model store is at {address}: open it there.", address=settings.tracking_uri
            )
        )
    home = Home(settings.home)
    home.make()
    chosen = {
        BACKEND: tracking_uri(home, None),
        "MLFLOW_ARTIFACTS_DESTINATION": home.artifacts.as_uri(),
        "MLFLOW_UVICORN_OPTS": "--no-access-log",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port)]
    environment = chosen | os.environ
    _end_orphans(port)
    os.execve(sys.executable, [*command, "--workers", "1"], environment)  # noqa: S606 - no shell


def _end_orphans(port: int) -> None:
    """End the worker of a server on this port that was killed."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command, parent = process.cmdline(), process.parent()
            if APPLICATION not in command or str(port) not in command:
                continue
            if parent is None or "mlflow" not in parent.cmdline():
                process.kill()
                process.wait(ORPHAN_WAIT_S)
