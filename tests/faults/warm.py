"""Training processes that are forked from one that has imported everything: seconds, not half a
minute each. They run the product's own worker; at a named place something befalls them.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from loanapp.core.events import append

FORKS = multiprocessing.get_context("forkserver")
PRELOADED = (
    "tensorflow",
    "matplotlib.figure",
    "mlflow.sklearn",
    "mlflow.data.pandas_dataset",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "loanapp.core.model.network",
    "loanapp.core.retraining",
    "loanapp.core.worker",
)


class Place(NamedTuple):
    """Where something befalls a process: a function that is called with these arguments.

    ``before`` or ``after`` it the process kills itself; there it is ``paused`` for a while, or
    ``stuck``: deaf to signals, as a process is inside of a library's own code.
    """

    module: str
    name: str
    what: str = "after"
    given: dict[str, object] = {}  # noqa: RUF012 - never changed


PAUSE_S = 4
PLAIN_WRITE = Place("loanapp.core.store.pointer", "write_atomically", "torn")


class WarmProcess:
    """What `loanapp.core.process.spawn` gives, for a forked worker."""

    def __init__(self, folder: Path, place: Place | None) -> None:
        ours, theirs = FORKS.Pipe(duplex=False)
        self._process = FORKS.Process(target=_work, args=(folder, theirs, place), daemon=True)
        self._process.start()
        theirs.close()
        self.stdout = os.fdopen(os.dup(ours.fileno()), "rb")
        ours.close()
        self.pid = self._process.pid

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode


def spawner(place: Place | None = None) -> Callable[..., WarmProcess]:
    """Give what stands in for `loanapp.core.process.spawn`."""
    FORKS.set_forkserver_preload(list(PRELOADED))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    return lambda folder, _settings: WarmProcess(folder, place)


def _work(folder: Path, answers: Connection, place: Place | None) -> None:
    """Be the training process of a job."""
    from loanapp.core.worker import main

    os.setsid()
    os.dup2(answers.fileno(), 1)
    os.dup2(os.open(folder / "process.log", os.O_WRONLY | os.O_CREAT, 0o644), 2)
    if place:
        _plant(place, folder)
    sys.exit(main(folder))


def _plant(place: Place, folder: Path) -> None:
    owner: Any = importlib.import_module(place.module)
    *parents, name = place.name.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    function = getattr(owner, name)

    def planted(*args: Any, **kwargs: Any) -> Any:
        wanted = all(kwargs.get(key) == value for key, value in place.given.items())
        if wanted and place.what == "torn":
            _tear(*args)
        if wanted and place.what == "before":
            _die()
        if wanted and place.what in ("paused", "stuck"):
            _pause(folder, deaf=place.what == "stuck")
        result = function(*args, **kwargs)
        if wanted and place.what == "after":
            _die()
        return result

    setattr(owner, name, planted)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _tear(path: Path, content: bytes) -> None:
    """Write as the product must not, and die half-way."""
    with path.open("wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        _die()


def _pause(folder: Path, *, deaf: bool) -> None:
    if deaf:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    append(folder, paused=True)
    time.sleep(PAUSE_S)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
