"""Where MLflow's store is; free of MLflow, so that a server can know."""

from __future__ import annotations

from loanapp.core.home import Home

LOCK_WAIT_S = 60


def tracking_uri(home: Home, configured: str | None) -> str:
    """Give the address of MLflow's store: the configured one, or SQLite in the home.

    A writer waits a minute for a database that somebody else has locked.
    """
    return configured or f"sqlite:///{home.database.as_posix()}?timeout={LOCK_WAIT_S}"
