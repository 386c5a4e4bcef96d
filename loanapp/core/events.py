"""What has happened to a job: one line an event, and the fold of them.

An event is the facts that have changed. It is written in one call by whichever process knows it,
so that every process can read how a job stands.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from loanapp.core.errors import Message
from loanapp.core.home import TEMPORARY

EVENTS = "events.jsonl"


def append(folder: Path, **facts: Any) -> None:
    """Add an event to a job: the facts that have changed, in one write.

    It begins a line of its own, whatever a full disk has left of the one before.
    """
    line = "\n" + json.dumps(facts, ensure_ascii=False, default=_plain) + "\n"
    content = line.encode()
    handle = os.open(folder / EVENTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        if os.write(handle, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(handle)


def end(folder: Path, state: str, **facts: Any) -> None:
    """Say the last word; what the job worked on goes first, since the disk may be full."""
    clean(folder)
    append(folder, state=state, finished_at=datetime.now(UTC), seconds_left=None, **facts)


def clean(folder: Path) -> None:
    """Remove what a job worked on; its request and its events stay."""
    for path in folder.glob("*.parquet"):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder / TEMPORARY, ignore_errors=True)


def fold(folder: Path) -> dict[str, Any]:
    """Put a job's events together; a torn line does not count. Raises FileNotFoundError."""
    facts: dict[str, Any] = {}
    losses: list[float] = []
    val_losses: list[float] = []
    for line in (folder / EVENTS).read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            facts |= event
            if "loss" in event:
                losses.append(event["loss"])
                val_losses.append(event["val_loss"])
    return facts | {"losses": losses, "val_losses": val_losses}


def _plain(value: object) -> object:
    if isinstance(value, Message):
        return TypeAdapter(Message).dump_python(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
