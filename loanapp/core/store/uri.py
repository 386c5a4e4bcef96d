"""Where MLflow's store is; free of MLflow, so that a server can know."""

from __future__ import annotations

from loanapp.core.home import Home


def tracking_uri(home: Home, configured: str | None) -> str:
    """Give the address of MLflow's store: the configured one, or SQLite in the home."""
    return configured or f"sqlite:///{home.database.as_posix()}"
