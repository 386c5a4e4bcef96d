"""What a training that did not end by itself may leave, and waiting for it to go."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path


def leftovers(home):
    """Give what a killed training left; the server may be removing it while this looks."""
    return [
        Path(folder, name)
        for folder, folders, files in os.walk(home)
        for name in (*folders, *files)
        if name.startswith(".partial-") or (name.endswith(".parquet") and "jobs" in folder)
    ]


def unfinished_runs(home):
    with contextlib.closing(sqlite3.connect(home / "mlflow.db", timeout=60)) as database:
        wanted = "SELECT 1 FROM runs WHERE status = 'RUNNING' AND lifecycle_stage = 'active'"
        return database.execute(wanted).fetchall()


def wait_until(condition, limit_s):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def runs(home):
    """Give the runs and logged models that MLflow shows."""
    with contextlib.closing(sqlite3.connect(home / "mlflow.db", timeout=60)) as database:
        return sorted(
            database.execute(
                "SELECT run_uuid, status FROM runs WHERE lifecycle_stage = 'active'"
                " UNION SELECT model_id, status FROM logged_models WHERE lifecycle_stage = 'active'"
            ).fetchall()
        )


def artifacts(home):
    """Give the folders of runs and models under MLflow's artefacts."""
    folders = (home / "mlruns", home / "mlruns" / "models")
    return sorted(str(path) for folder in folders for path in folder.iterdir())
