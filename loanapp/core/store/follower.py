"""Follow the registry's alias: what is promoted anywhere is served here within a second.

The alias is read cheaply (`loanapp.core.store.reading`). Where the champion's bundle is not on this
machine yet, a short process of its own brings it, so that a server never imports MLflow.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from threading import Event, Thread

from filelock import Timeout

from loanapp.core.errors import InvalidBundle, LoanappError, Message, StoreUnavailable, message
from loanapp.core.home import Home
from loanapp.core.store.promotion import reconcile
from loanapp.core.store.reading import make_reader

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
        self._reader = make_reader(uri, model_name)
        self._stopped = Event()
        self._refused: str | None = None
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
            champion = self._reader.champion()
            if champion == self._refused and champion is not None:
                return
            self.error = None
            if not reconcile(self._home, champion, self._model_name):
                self._fetch(str(champion))
        except InvalidBundle as error:
            self._refused, self.error = champion, error.message
            logger.error("champion refused", extra={"version": champion, "why": str(error)})
        except (StoreUnavailable, Timeout, OSError) as error:
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

    def _fetch(self, version: str) -> None:
        command = [sys.executable, "-m", __name__, str(self._home.path), self._uri]
        done = subprocess.run(  # noqa: S603 - our own module, no shell
            [*command, self._model_name, version],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise InvalidBundle(
                message("Version {version} has no scoring artefact.", version=version)
            )


def main(home: str, uri: str, model_name: str, version: str) -> None:
    """Bring one version's bundle to this machine."""
    from pathlib import Path

    from loanapp.core.store.promotion import fetch_bundle
    from loanapp.core.store.registry import Registry

    fetch_bundle(Home(Path(home)), uri, Registry(uri, model_name).version(version))


if __name__ == "__main__":
    main(*sys.argv[1:])
