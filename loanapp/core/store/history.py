"""What the history answers: which version was live at a moment, and which one to go back to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from loanapp.core.store.records import HistoryEntry


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


def earlier_champion(history: Sequence[HistoryEntry], existing: Collection[str]) -> str | None:
    """The version that a rollback goes to; None: there is none.

    Rolling back undoes the newest step that is not undone yet, so that a second rollback goes
    further back, and never forward again to the version that the first one took out of service.

    Parameters
    ----------
    history
        Newest first.
    existing
        The versions that there still are.
    """
    path: list[str] = []
    for entry in reversed(history):
        if entry.action == "rollback" and entry.version in path:
            del path[_last(path, entry.version) + 1 :]
        elif path[-1:] != [entry.version]:
            path.append(entry.version)
    return next((v for v in reversed(path[:-1]) if v in existing and v != path[-1]), None)


def _last(path: Sequence[str], version: str) -> int:
    return len(path) - 1 - path[::-1].index(version)
