"""What the container image runs: its first process, its health check, its database.

``run`` prepares the volume and starts supervisord; ``listen`` is supervisord's listener, which ends
the container when a program cannot stay up; ``check`` is the image's HEALTHCHECK; ``migrate`` makes
the empty database that a fresh volume starts with. Standard library only, but for ``migrate``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

SEED = Path("/app/seed/mlflow.db")
CONFIGURATION = Path("/app/supervisord.conf")
FATAL = Path("/tmp/loanapp-fatal")  # noqa: S108 - a tmpfs of the container's own
CHECKED = ("http://127.0.0.1:8000/health", "http://127.0.0.1:8501/_stcore/health")
CHECK_TIMEOUT_S = 4


def run() -> int:
    """Start everything, pass signals on, and give the container's exit code."""
    home = Path(os.environ.get("LOANAPP_HOME", "/data"))
    FATAL.unlink(missing_ok=True)
    if SEED.is_file() and not (home / "mlflow.db").exists():
        shutil.copyfile(SEED, home / ".partial-mlflow.db")
        (home / ".partial-mlflow.db").replace(home / "mlflow.db")
    supervisor = subprocess.Popen(["supervisord", "-c", str(CONFIGURATION)])  # noqa: S603, S607
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: supervisor.send_signal(received))
    code = supervisor.wait()
    return 1 if FATAL.exists() else code


def listen() -> int:
    """Answer supervisord's events: a program in state FATAL ends the container."""
    while True:
        sys.stdout.write("READY\n")
        sys.stdout.flush()
        header = sys.stdin.readline()
        if not header:
            return 0
        length = int(dict(part.split(":", 1) for part in header.split())["len"])
        event = sys.stdin.read(length)
        sys.stderr.write(f"a program cannot stay up, the container ends: {event.strip()}\n")
        sys.stderr.flush()
        FATAL.touch()
        os.kill(os.getppid(), signal.SIGTERM)
        sys.stdout.write("RESULT 2\nOK")
        sys.stdout.flush()


def check() -> int:
    """Tell whether the API and the app answer."""
    for address in CHECKED:
        try:
            with urllib.request.urlopen(address, timeout=CHECK_TIMEOUT_S) as answer:  # noqa: S310
                if answer.status != 200:
                    return 1
        except OSError:
            return 1
    return 0


def migrate() -> int:
    """Make MLflow's empty database, so that a fresh volume need not wait for it."""
    from loanapp.core.home import Home
    from loanapp.core.settings import Settings
    from loanapp.core.store.tracking import connect
    from loanapp.core.store.uri import tracking_uri

    home = Home(Settings().home)
    home.path.mkdir(parents=True, exist_ok=True)
    connect(tracking_uri(home, None)).search_experiments(max_results=1)
    return 0


COMMANDS: dict[str, Callable[[], int]] = {
    "run": run, "listen": listen, "check": check, "migrate": migrate,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(COMMANDS[sys.argv[1]]())
