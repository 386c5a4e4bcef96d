"""The registry: versions, the champion, and the history of what served.

The alias ``champion`` is the truth. Every change of it is written, append-only, as a tag of the
registered model whose key is the moment, so that the history lives where the versions live,
whatever database MLflow runs on.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from loanapp.core.errors import UnknownVersion, message
from loanapp.core.store.reading import CHAMPION, TIMEOUT_S, StoredVersion, make_reader
from loanapp.core.store.records import Action, HistoryEntry, ModelVersion, VersionFacts
from loanapp.core.store.tracking import DATA_ARTIFACT, LoggedRun, connect, store_errors

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
        self._reader = make_reader(uri, model_name, wait_s)
        self._connecting = Lock()
        self._connected: MlflowClient | None = None

    def register(self, run: LoggedRun, facts: VersionFacts) -> str:
        """Register a logged model as the next version, and give its number."""
        tags = {FACTS: _FACTS.dump_json(facts).decode(), REQUEST: facts.request_hash}
        with store_errors():
            if not self._client.search_registered_models(f"name = '{self._name}'"):
                self._client.create_registered_model(self._name)
            made = self._client.create_model_version(
                self._name, run.model_source, run_id=run.run_id, tags=tags
            )
        logger.info("version registered", extra={"version": made.version})
        return str(made.version)

    def versions(self) -> list[ModelVersion]:
        """The versions, newest first."""
        champion = self.champion()
        return [_read(stored, champion) for stored in self._reader.versions()]

    def version(self, version: str) -> ModelVersion:
        """One version. Raises UnknownVersion."""
        for found in self.versions():
            if found.version == version:
                return found
        raise UnknownVersion(message("There is no version {version}.", version=version))

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
        return self._reader.champion()

    def set_champion(
        self, version: str, *, action: Action, author: str = "", reason: str = ""
    ) -> HistoryEntry:
        """Make a version the champion, and write so in the history.

        Only to be called under the promotion lock.
        """
        previous = self.champion()
        entry = HistoryEntry(datetime.now(UTC), version, previous, action, author, reason)
        with store_errors():
            self._client.set_registered_model_alias(self._name, CHAMPION, version)
            key = f"{HISTORY}{entry.at:%Y%m%dT%H%M%S.%fZ}"
            self._client.set_registered_model_tag(self._name, key, _ENTRY.dump_json(entry).decode())
        logger.info(
            "champion set", extra={"version": version, "previous": previous, "action": action}
        )
        return entry

    def history(self) -> list[HistoryEntry]:
        """Every change of the champion, newest first."""
        tags = self._reader.tags()
        keys = sorted((key for key in tags if key.startswith(HISTORY)), reverse=True)
        return [_ENTRY.validate_json(tags[key]) for key in keys]

    @property
    def _client(self) -> MlflowClient:
        """MLflow's own client: for writing, and imported only then."""
        with self._connecting:
            if self._connected is None:
                self._connected = connect(self._uri)
            return self._connected


def live_at(history: Sequence[HistoryEntry], moment: datetime) -> HistoryEntry | None:
    """The entry that made the model of a moment live; None: nothing served then.

    Parameters
    ----------
    history
        Newest first.
    moment
        Without a time zone it is taken as UTC.
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return next((entry for entry in history if entry.at <= aware), None)


def previous_champion(history: Sequence[HistoryEntry], champion: str | None) -> str:
    """The version that served before the champion.

    Raises
    ------
    UnknownVersion
        None did.
    """
    for entry in history:
        if entry.version == champion and entry.previous not in (None, champion):
            return str(entry.previous)
    raise UnknownVersion(message("There is no earlier version to go back to."))


def _read(stored: StoredVersion, champion: str | None) -> ModelVersion:
    raw = stored.tags.get(FACTS)
    return ModelVersion.of(
        _FACTS.validate_json(raw) if raw else VersionFacts(),
        version=stored.version,
        run_id=stored.run_id,
        created_at=datetime.fromtimestamp(stored.created_ms / 1000, UTC),
        champion=stored.version == champion,
    )
