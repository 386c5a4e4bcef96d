"""The registry: versions, the champion, and the history of what served.

The alias ``champion`` is the truth. Every change of it is written, append-only, as a tag of the
registered model whose key is the moment, so that the history lives where the versions live,
whatever database MLflow runs on.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from loanapp.core.store.backends import TIMEOUT_S, StoredVersion, make_backend, unknown
from loanapp.core.store.connection import connect, store_errors
from loanapp.core.store.records import Action, HistoryEntry, ModelVersion, VersionFacts
from loanapp.core.store.tracking import DATA_ARTIFACT, LoggedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

HISTORY, FACTS, REQUEST = "loanapp.history.", "loanapp.facts", "loanapp.request"
_FACTS, _ENTRY = TypeAdapter(VersionFacts), TypeAdapter(HistoryEntry)

logger = logging.getLogger(__name__)


class Registry:
    """The versions of one registered model.

    Parameters
    ----------
    uri
        Of MLflow's store.
    model_name
        The registered model; made with the first version.
    wait_s
        How long a read waits for a locked database, or for a server's answer.
    """

    def __init__(self, uri: str, model_name: str, wait_s: float = TIMEOUT_S) -> None:
        self._uri, self._name = uri, model_name
        self._backend = make_backend(uri, model_name, wait_s)
        self._connecting = Lock()
        self._connected: MlflowClient | None = None

    def register(self, run: LoggedRun, facts: VersionFacts) -> str:
        """Register a logged model as the next version, and give its number."""
        tags = {FACTS: _FACTS.dump_json(facts).decode(), REQUEST: facts.request_hash}
        with store_errors():
            if not self._client.search_registered_models(f"name = '{self._name}'"):
                self._client.create_registered_model(self._name)
            made = self._client.create_model_version(
                self._name, run.model_source, run_id=run.run_id, tags=tags, model_id=run.model_id
            )
        logger.info("version registered", extra={"version": made.version})
        return str(made.version)

    def versions(self) -> list[ModelVersion]:
        """The versions, newest first."""
        champion = self.champion()
        return [_read(stored, champion) for stored in self._backend.versions()]

    def version(self, version: str) -> ModelVersion:
        """One version. Raises UnknownVersion."""
        for found in self.versions():
            if found.version == version:
                return found
        raise unknown(version)

    def find(self, request_hash: str) -> ModelVersion | None:
        """The newest version that the same request made; None where there is none."""
        matches = (v for v in self.versions() if v.request_hash == request_hash)
        return next(matches, None)

    def training_data(self) -> Iterator[pa.Table]:
        """The rows that earlier versions were trained on, each file once, newest first."""
        seen: set[str | None] = {None}
        for model in self.versions():
            if model.data_hash not in seen:
                seen.add(model.data_hash)
                yield self.rows_of(model)

    def rows_of(self, model: ModelVersion) -> pa.Table:
        """The rows that a version was trained and tested on."""
        artifact = f"{DATA_ARTIFACT}/{model.data_hash}.parquet"
        with store_errors(), tempfile.TemporaryDirectory() as folder:
            return pq.read_table(self._client.download_artifacts(model.run_id, artifact, folder))

    def champion(self) -> str | None:
        """The version that serves; None where none was promoted."""
        return self._backend.champion()

    def set_champion(
        self, version: str, *, action: Action, author: str = "", reason: str = ""
    ) -> HistoryEntry:
        """Make a version the champion, and write so in the history.

        Only to be called under the promotion lock. Raises UnknownVersion.
        """
        self.record_move()
        entry = self._entry(version, self.champion(), action, author, reason)
        self._backend.set_champion(version, *_as_tag(entry))
        _log(entry)
        return entry

    def record_move(self) -> HistoryEntry | None:
        """Write in the history where the alias was moved elsewhere: in MLflow, in a notebook.

        Only to be called under the promotion lock.
        """
        champion, live = self.champion(), next(iter(self.history()), None)
        previous = live.version if live else None
        if champion is None or champion == previous:
            return None
        entry = self._entry(champion, previous, "reconcile")
        self._backend.add_tag(*_as_tag(entry))
        _log(entry)
        return entry

    def history(self) -> list[HistoryEntry]:
        """Every change of the champion, newest first."""
        tags = self._backend.tags()
        keys = sorted((key for key in tags if key.startswith(HISTORY)), reverse=True)
        return [_ENTRY.validate_json(tags[key]) for key in keys]

    def _entry(
        self, version: str, previous: str | None, action: Action, author: str = "", reason: str = ""
    ) -> HistoryEntry:
        model = self.version(version)
        moment = datetime.now(UTC)
        return HistoryEntry(
            moment, version, previous, action, author, reason, model.data_hash, model.metrics
        )

    @property
    def _client(self) -> MlflowClient:
        """MLflow's own client: for registering and for artefacts, and imported only then."""
        with self._connecting:
            if self._connected is None:
                self._connected = connect(self._uri)
            return self._connected


def _as_tag(entry: HistoryEntry) -> tuple[str, str]:
    return f"{HISTORY}{entry.at:%Y%m%dT%H%M%S.%fZ}", _ENTRY.dump_json(entry).decode()


def _log(entry: HistoryEntry) -> None:
    facts = {"version": entry.version, "previous": entry.previous, "action": entry.action}
    logger.info("champion set", extra=facts)


def _read(stored: StoredVersion, champion: str | None) -> ModelVersion:
    raw = stored.tags.get(FACTS)
    return ModelVersion.of(
        _FACTS.validate_json(raw) if raw else VersionFacts(),
        version=stored.version,
        run_id=stored.run_id,
        created_at=datetime.fromtimestamp(stored.created_ms / 1000, UTC),
        champion=stored.version == champion,
    )
