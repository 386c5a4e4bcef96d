"""The registry without importing MLflow, which would cost a server 4 s and 190 MiB.

The local store is asked with SQL, a remote one by MLflow's REST API. That makes it cheap enough to
ask every second what the alias names, so that a version that anyone promotes, from Loanapp, from
MLflow's own UI or from a notebook, is served everywhere; and a promotion takes no second.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from loanapp.core.errors import StoreUnavailable, UnknownVersion, message

CHAMPION = "champion"
SQLITE = "sqlite:///"
TIMEOUT_S = 5.0
PAGE = 1_000

ALIAS = "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?"
VERSIONS = """
SELECT v.version, v.run_id, v.creation_time,
       json_group_object(t.key, t.value) FILTER (WHERE t.key IS NOT NULL)
FROM model_versions v
LEFT JOIN model_version_tags t USING (workspace, name, version)
WHERE v.name = ? AND v.current_stage != 'Deleted_Internal'
GROUP BY v.version ORDER BY v.version DESC
"""
TAGS = "SELECT key, value FROM registered_model_tags WHERE name = ?"
SET_ALIAS = """
INSERT INTO registered_model_aliases (workspace, name, alias, version)
SELECT workspace, name, ?, version FROM model_versions
WHERE name = ? AND version = ? AND current_stage != 'Deleted_Internal'
ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version
"""
ADD_TAG = """
INSERT INTO registered_model_tags (workspace, name, key, value)
SELECT workspace, name, ?, ? FROM registered_models WHERE name = ?
"""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version as MLflow keeps it.

    Parameters
    ----------
    version, run_id
        Its number and the run that made it.
    created_ms
        Milliseconds since 1970, UTC.
    tags
        Its tags.
    """

    version: str
    run_id: str
    created_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)


class Backend(Protocol):
    """One registered model; where it does not exist yet there is nothing to read.

    Each method raises StoreUnavailable where the store does not answer.
    """

    def champion(self) -> str | None:
        """The version that the alias names."""

    def versions(self) -> list[StoredVersion]:
        """The versions, newest first."""

    def tags(self) -> Mapping[str, str]:
        """The registered model's tags."""

    def add_tag(self, key: str, value: str) -> None:
        """Add a tag that is not there yet."""

    def set_champion(self, version: str, key: str, value: str) -> None:
        """Let the alias name a version, and add a tag that says so. Raises UnknownVersion."""


def make_backend(uri: str, model_name: str, wait_s: float = TIMEOUT_S) -> Backend:
    """Give the backend of a store: ``sqlite:///…`` or ``http(s)://…``.

    It waits so many seconds for a locked database, or for a server's answer.
    """
    if uri.startswith(SQLITE):
        return SqliteBackend(Path(uri.removeprefix(SQLITE).partition("?")[0]), model_name, wait_s)
    return RestBackend(uri, model_name, wait_s)


class SqliteBackend:
    """The local store, asked with SQL beside whatever else works with it."""

    def __init__(self, path: Path, model_name: str, wait_s: float = TIMEOUT_S) -> None:
        self._path, self._name, self._wait_s = path, model_name, wait_s

    def champion(self) -> str | None:
        """The version that the alias names."""
        rows = self._select(ALIAS, self._name, CHAMPION)
        return str(rows[0][0]) if rows else None

    def versions(self) -> list[StoredVersion]:
        """The versions, newest first."""
        return [
            StoredVersion(str(version), run_id or "", created, _texts(json.loads(tags)))
            for version, run_id, created, tags in self._select(VERSIONS, self._name)
        ]

    def tags(self) -> Mapping[str, str]:
        """The registered model's tags."""
        return _texts(dict(self._select(TAGS, self._name)))

    def add_tag(self, key: str, value: str) -> None:
        """Add a tag that is not there yet."""
        with self._writing() as database:
            database.execute(ADD_TAG, (key, value, self._name))

    def set_champion(self, version: str, key: str, value: str) -> None:
        """Let the alias name a version, and add a tag that says so: both or neither."""
        with self._writing() as database:
            if not database.execute(SET_ALIAS, (CHAMPION, self._name, version)).rowcount:
                raise unknown(version)
            database.execute(ADD_TAG, (key, value, self._name))

    def _select(self, query: str, *values: str) -> list[Any]:
        if not self._path.is_file():
            return []
        try:
            with closing(self._open("ro")) as database:
                return database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            if "no such table" in str(error):  # the database is only being made
                return []
            raise _unavailable(error) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: whatever is raised in it undoes it."""
        try:
            with closing(self._open("rw")) as database, database:
                database.execute("BEGIN IMMEDIATE")
                yield database
        except sqlite3.Error as error:
            raise _unavailable(error) from error

    def _open(self, mode: str) -> sqlite3.Connection:
        address = f"file:{quote(self._path.as_posix())}?mode={mode}"
        return sqlite3.connect(address, uri=True, timeout=self._wait_s)


class RestBackend:
    """A remote store, asked by MLflow's REST API."""

    def __init__(self, uri: str, model_name: str, wait_s: float = TIMEOUT_S) -> None:
        self._api, self._name = f"{uri.rstrip('/')}/api/2.0/mlflow", model_name
        self._wait_s = wait_s

    def champion(self) -> str | None:
        """The version that the alias names."""
        found = self._get("registered-models/alias", name=self._name, alias=CHAMPION)
        return str(found["model_version"]["version"]) if found else None

    def versions(self) -> list[StoredVersion]:
        """The versions, newest first."""
        stored = [
            StoredVersion(
                str(item["version"]),
                item.get("run_id", ""),
                int(item["creation_timestamp"]),
                _pairs(item.get("tags", [])),
            )
            for item in self._pages("model-versions/search", filter=f"name='{self._name}'")
        ]
        return sorted(stored, key=lambda item: -int(item.version))

    def tags(self) -> Mapping[str, str]:
        """The registered model's tags."""
        found = self._get("registered-models/get", name=self._name)
        return _pairs(found["registered_model"].get("tags", [])) if found else {}

    def add_tag(self, key: str, value: str) -> None:
        """Add a tag that is not there yet."""
        if self._post("registered-models/set-tag", name=self._name, key=key, value=value) is None:
            raise _unavailable(LookupError(self._name))

    def set_champion(self, version: str, key: str, value: str) -> None:
        """Let the alias name a version, then add a tag that says so."""
        alias = {"name": self._name, "alias": CHAMPION, "version": version}
        if self._post("registered-models/alias", **alias) is None:
            raise unknown(version)
        self.add_tag(key, value)

    def _pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Give the versions that a search finds, page after page."""
        while True:
            page = self._get(path, max_results=str(PAGE), **query) or {}
            yield from page.get("model_versions", [])
            if not page.get("next_page_token"):
                return
            query["page_token"] = page["next_page_token"]

    def _get(self, path: str, **query: str) -> dict[str, Any] | None:
        return self._ask("GET", path, params=query)

    def _post(self, path: str, **document: str) -> dict[str, Any] | None:
        return self._ask("POST", path, json=document)

    def _ask(self, method: str, path: str, **content: Any) -> dict[str, Any] | None:
        """Give MLflow's answer; None where it knows no such thing."""
        import httpx

        with http_errors():
            address = f"{self._api}/{path}"
            answer = httpx.request(method, address, timeout=self._wait_s, **content)
            if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.BAD_REQUEST):
                return None
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
            return found


@contextmanager
def http_errors() -> Iterator[None]:
    """Turn what a remote store's connection raises into StoreUnavailable."""
    import httpx  # costs a server 0.2 s that it needs only for a remote store

    try:
        yield
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise _unavailable(error) from error


def unknown(version: str) -> UnknownVersion:
    """Say that there is no such version."""
    return UnknownVersion(message("There is no version {version}.", version=version))


def _unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(message("The model store does not answer: {reason}", reason=str(error)))


def _texts(tags: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key and value is not None}


def _pairs(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in tags}
