"""Follow the registry's alias: what is promoted anywhere is served here within a second.

The alias is read cheaply (`loanapp.core.store.backends`). Where the champion's bundle is not on
this machine, or broken, a short process of its own brings it, so that a server never imports
MLflow. An alias that was moved elsewhere is written in the history.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread

from pydantic import TypeAdapter

from loanapp.core.errors import InvalidBundle, LoanappError, Message, message
from loanapp.core.home import Home
from loanapp.core.store.pointer import ModelUri, Pointer
from loanapp.core.store.promotion import bring_bundle, fetch_bundle, promotion_lock, reconcile
from loanapp.core.store.registry import Registry

FETCH_TIMEOUT_S = 300
RETRY_S = 60

logger = logging.getLogger(__name__)


class Follower:
    """A thread that keeps the pointer in step with the alias.

    Parameters
    ----------
    home, uri, model_name
        The installation, MLflow's store, the registered model.
    interval_s
        How often the alias is read.
    """

    def __init__(self, home: Home, uri: str, model_name: str, interval_s: float) -> None:
        self._home, self._uri, self._model_name = home, uri, model_name
        self._interval_s = interval_s
        self._registry = Registry(uri, model_name)
        self._pointer = Pointer(home.pointer)
        self._stopped = Event()
        self._seen: str | None = None
        self._recorded: str | None = None
        self._sound: ModelUri | None = None
        self._refused: ModelUri | None = None
        self._retry_at = 0.0
        self.error: Message | None = None
        self._thread = Thread(target=self._run, daemon=True, name="follow-alias")

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def step(self) -> None:
        """Look once. What fails is told by `error`; the served model stays."""
        try:
            champion = self._registry.champion()
            if champion is not None:
                self._follow(ModelUri(self._model_name, champion))
                self._record(champion)
            else:
                self.error = None
        except (LoanappError, OSError, subprocess.SubprocessError) as error:
            said = error.message if isinstance(error, LoanappError) else message(
                "The state cannot be written: {reason}", reason=type(error).__name__
            )  # fmt: skip
            if self.error is None:
                logger.warning("alias not followed", extra={"why": str(said)})
            self.error = said

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.step()
            self._stopped.wait(self._interval_s)

    def _follow(self, uri: ModelUri) -> None:
        """Make the pointer name the champion, once its bundle is here and sound."""
        if uri == self._refused and time.monotonic() < self._retry_at:
            return
        try:
            if uri != self._sound or self._pointer.read() != uri:
                self._sound = self._reconcile(uri)
        except InvalidBundle as error:
            if uri != self._refused:
                logger.error("champion refused", extra={"version": uri.version, "why": str(error)})
            self._refused, self._retry_at = uri, time.monotonic() + RETRY_S
            self.error = error.message
        else:
            self._refused = self.error = None

    def _reconcile(self, uri: ModelUri) -> ModelUri | None:
        try:
            return reconcile(self._home, self._registry, self._model_name)
        except InvalidBundle:
            self._fetch(uri.version)
            return reconcile(self._home, self._registry, self._model_name)

    def _record(self, champion: str) -> None:
        """Write a move of the alias in the history, if whoever moved it did not.

        It has a whole step's time to: it may be another machine's Loanapp.
        """
        if champion == self._seen and champion != self._recorded:
            with promotion_lock(self._home):
                self._registry.record_move()
            self._recorded = champion
        self._seen = champion

    def _fetch(self, version: str) -> None:
        """Bring a version's bundle, in a process of its own where that takes MLflow.

        Raises
        ------
        InvalidBundle
            It cannot be had.
        """
        with promotion_lock(self._home):
            if bring_bundle(self._home, self._uri, self._registry.version(version)):
                return
        command = [sys.executable, "-m", __name__, str(self._home.path), self._uri]
        done = subprocess.run(  # noqa: S603 - our own module, no shell
            [*command, self._model_name, version],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=FETCH_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise InvalidBundle(_read(done.stdout, version))


def main(home: str, uri: str, model_name: str, version: str) -> int:
    """Bring one version's bundle to this machine; where that fails, write why."""
    place = Home(Path(home))
    try:
        with promotion_lock(place):
            fetch_bundle(place, uri, Registry(uri, model_name).version(version))
    except LoanappError as error:
        sys.stdout.buffer.write(TypeAdapter(Message).dump_json(error.message))
        return 1
    return 0


def _read(said: bytes, version: str) -> Message:
    """Read why a bundle could not be brought."""
    try:
        return TypeAdapter(Message).validate_json(said)
    except ValueError:
        return message("Version {version} has no scoring artefact.", version=version)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
