"""What the pages call: the service itself, or the REST client for a remote API.

Both keep to one Protocol, so a page cannot tell them apart.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

from loanapp.core.answers import (
    Health,
    HistoryEntry,
    Inspection,
    Job,
    ModelDetails,
    ModelVersion,
    Prediction,
    TrainingOptions,
)
from loanapp.core.data.schema import Schema
from loanapp.core.settings import Settings

if TYPE_CHECKING:
    from loanapp.client import Client

Purpose = Literal["train", "predict"]


class Backend(Protocol):
    """Train, predict, look, promote. Errors are those of `loanapp.core.errors`."""

    def health(self) -> Health:
        """Whether a model serves, and which."""

    def schema(self) -> Schema:
        """The contract in force."""

    def inspect(self, source: BinaryIO, purpose: Purpose) -> Inspection:
        """Read a file and say what is in it; an unusable file is an answer, not an error."""

    def start_training(
        self, source: BinaryIO, options: TrainingOptions, *, file_name: str = ""
    ) -> Job:
        """Check the file and start a training on it in its own process.

        Raises
        ------
        InvalidTable, LimitExceeded, TrainingBusy
        """

    def jobs(self) -> Sequence[Job]:
        """The trainings, newest first."""

    def job(self, job_id: str) -> Job:
        """One training as it stands now. Raises UnknownJob."""

    def follow(self, job_id: str) -> Iterator[Job]:
        """Yield the training each time it has moved on, until it has ended. Raises UnknownJob."""

    def cancel(self, job_id: str) -> Job:
        """Stop a training. Raises UnknownJob; one that has ended stays as it is."""

    def predict(self, source: BinaryIO, *, skip_invalid: bool = False) -> Prediction:
        """Score a file. Raises InvalidTable, LimitExceeded, NoModel."""

    def predict_records(self, records: Sequence[Mapping[str, object]]) -> Prediction:
        """Score clients given as records by column name. Raises InvalidTable, NoModel."""

    def models(self) -> Sequence[ModelVersion]:
        """The registered versions, newest first."""

    def model(self, version: str) -> ModelDetails:
        """One version with its pictures. Raises UnknownVersion."""

    def history(self) -> Sequence[HistoryEntry]:
        """Every change of the model that serves, newest first."""

    def live_at(self, moment: datetime) -> HistoryEntry | None:
        """The entry that made the model of that moment live; None: nothing served."""

    def promote(self, version: str, *, author: str = "", reason: str = "") -> ModelVersion:
        """Make a version serve. Raises UnknownVersion, InvalidBundle."""

    def rollback(self, *, author: str = "", reason: str = "") -> ModelVersion:
        """Make the version that served before serve again. Raises UnknownVersion."""


_local: Backend | None = None
_lock = threading.Lock()


def local_service() -> Backend:
    """The service of this process; made of the settings if the server has not set one."""
    global _local
    with _lock:
        if _local is None:
            from loanapp.core.service import Service

            _local = Service(_read_settings())
        return _local


def set_local_service(service: Backend | None) -> None:
    """Make the pages use a service that exists already; None: make one when it is needed."""
    global _local
    with _lock:
        _local = service


def settings() -> Settings:
    """The settings of this process: those of its service."""
    known = getattr(_local, "settings", None)
    return known if isinstance(known, Settings) else _read_settings()


@lru_cache(maxsize=1)
def _read_settings() -> Settings:
    return Settings()


def remote_urls() -> tuple[str, ...]:
    """Addresses of the APIs that the pages may call, the operator's own choice first."""
    chosen = settings().api_url
    others = tuple(url for url in settings().remote_urls if url != chosen)
    return (chosen, *others) if chosen else others


def choose_backend(url: str | None) -> Backend:
    """Give the service itself, or the client of one of the addresses that the settings allow."""
    if url not in remote_urls():
        url = settings().api_url
    return _remote(url) if url else local_service()


@cache
def _remote(url: str) -> Client:
    from loanapp.client import Client

    token = settings().api_token
    return Client(
        url,
        timeout_s=settings().remote_timeout_s,
        token=token.get_secret_value() if token else None,
    )
