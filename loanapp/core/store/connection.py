"""MLflow's client, and what it raises."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loanapp.core.errors import StoreUnavailable, message

if TYPE_CHECKING:
    from mlflow import MlflowClient


def connect(uri: str) -> MlflowClient:
    """Open MLflow's store; a fresh database is migrated, which takes seconds.

    Raises
    ------
    StoreUnavailable
        It does not answer.
    """
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    from mlflow import MlflowClient

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    with store_errors():
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn what MLflow, the database and the disk raise into StoreUnavailable."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError) and not _of_the_store(error):
            raise
        raise StoreUnavailable(
            message("The model store does not answer: {reason}", reason=_first_line(error))
        ) from error


def _of_the_store(error: Exception) -> bool:
    """Recognise an error of MLflow's or its database's without importing either."""
    return any(
        kind.__module__.startswith(("mlflow.", "sqlalchemy.")) for kind in type(error).__mro__
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
