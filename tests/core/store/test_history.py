"""The history tells what to go back to: always further back, never forward again."""

from datetime import UTC, datetime, timedelta

import pytest

from loanapp.core.store.history import earlier_champion
from loanapp.core.store.records import HistoryEntry

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def history_of(*steps):
    """Make a history, newest first, of steps such as ``train 1``."""
    entries, previous = [], None
    for number, step in enumerate(steps):
        action, version = step.split()
        at = BEGUN + timedelta(hours=number)
        entries.append(HistoryEntry(at, version, previous, action))
        previous = version
    return entries[::-1]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], None),
        (["train 1"], None),
        (["train 1", "train 2"], "1"),
        (["train 1", "train 2", "train 3", "rollback 2"], "1"),
        (["train 1", "train 2", "rollback 1"], None),
        (["train 1", "train 2", "rollback 1", "train 3"], "1"),
        (["train 1", "train 2", "promote 1"], "2"),
        (["train 1", "train 2", "promote 1", "rollback 2"], "1"),
        (["train 1", "reconcile 2", "promote 2"], "1"),
    ],
)
def test_a_rollback_undoes_the_newest_step_that_is_not_undone(steps, expected):
    assert earlier_champion(history_of(*steps), {"1", "2", "3"}) == expected


def test_a_version_that_was_deleted_is_passed_over():
    history = history_of("train 1", "train 2", "train 3")
    assert earlier_champion(history, {"1", "3"}) == "1"
