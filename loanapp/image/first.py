"""The container's first process: starts supervisord, passes signals on, gives the exit code."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from loanapp.image.lines import Lines

SEED = Path("/app/seed/mlflow.db")
CONFIGURATION = Path("/app/supervisord.conf")
PIPES = Path("/tmp/loanapp")  # noqa: S108 - a tmpfs of the container's own
FATAL = PIPES / "fatal"
PROGRAMS = ("supervisord", "api", "ui", "mlflow")


def run() -> int:
    """Run everything until a signal comes or a program cannot stay up.

    Returns
    -------
    int
        0 after a signal, 1 after a program's failure.
    """
    home = Path(os.environ.get("LOANAPP_HOME", "/data"))
    FATAL.unlink(missing_ok=True)
    with Lines(PIPES, PROGRAMS) as lines:
        if not os.access(home, os.W_OK):
            lines.tell("image", "error", f"{home} cannot be written to by user {os.getuid()}")
            return 1
        _plant_database(home)
        # Where MLflow's server is another, there is none to start here.
        os.environ.setdefault("LOANAPP_MLFLOW", str("LOANAPP_TRACKING_URI" not in os.environ))
        command = ["supervisord", "-c", str(CONFIGURATION)]
        supervisor = subprocess.Popen(command)  # noqa: S603
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _: supervisor.send_signal(received))
        code = _wait(supervisor.pid)
    return 1 if FATAL.exists() else code


def _plant_database(home: Path) -> None:
    """Start a fresh volume with the migrated, empty database that the image brings."""
    database, partial = home / "mlflow.db", home / ".partial-mlflow.db"
    if SEED.is_file() and not database.exists():
        shutil.copyfile(SEED, partial)
        partial.replace(database)


def _wait(pid: int) -> int:
    """Wait for one process; every orphan of the container ends up here too, and is buried."""
    while True:
        ended, status = os.wait()
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def listen() -> int:
    """Answer supervisord's events, for ever.

    A program in state FATAL ends the container. What a killed program leaves behind, such as a
    server that MLflow had started, would hold the port that the new one needs: it is told to stop.
    """
    while True:
        sys.stdout.write("READY\n")
        sys.stdout.flush()
        header = _facts(sys.stdin.readline())
        if not header:
            return 0
        event = sys.stdin.read(int(header["len"]))
        if header["eventname"] == "PROCESS_STATE_FATAL":
            sys.stderr.write(f"a program cannot stay up, the container ends: {event.strip()}\n")
            sys.stderr.flush()
            FATAL.touch()
            os.kill(os.getppid(), signal.SIGTERM)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(_facts(event)["pid"]), signal.SIGTERM)
        sys.stdout.write("RESULT 2\nOK")
        sys.stdout.flush()


def _facts(line: str) -> dict[str, str]:
    return dict(part.split(":", 1) for part in line.split())
