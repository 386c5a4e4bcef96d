"""MLflow's own interface over the product's store."""

from __future__ import annotations

import os
import sys

from loanapp.core.home import Home
from loanapp.core.settings import Settings
from loanapp.core.store.uri import tracking_uri


def run_mlflow(settings: Settings, host: str, port: int) -> None:
    """Become MLflow's server: one worker and no job runner; its default is nine processes.

    The process is replaced, so that signals and the exit code are MLflow's own.
    """
    home = Home(settings.home)
    home.make()
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    command = [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", host, "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", tracking_uri(home, settings.tracking_uri)),
        *("--default-artifact-root", home.artifacts.as_uri()),
    ]
    os.execv(sys.executable, command)  # noqa: S606 - a fixed program, its arguments are settings
