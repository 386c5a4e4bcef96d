"""The pointer: one line, ``models:/<name>/<version>``, that names what serves on this machine.

It is a copy of the registry's alias that costs one ``stat`` to watch. A reader sees the old line
or the new one, never a part: the line is written beside it, synced, and renamed over.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from loanapp.core.home import PARTIAL

_LINE = re.compile(r"models:/([A-Za-z0-9_-]{1,64})/([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class ModelUri:
    """A registered version, as MLflow writes it."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"models:/{self.name}/{self.version}"

    @classmethod
    def parse(cls, line: str) -> ModelUri | None:
        """Read a line; None where it is not a version's URI."""
        match = _LINE.fullmatch(line.strip())
        return cls(match[1], match[2]) if match else None


def write_atomically(path: Path, content: bytes) -> None:
    """Put content at a path so that a crash leaves the old content or the new, never a part."""
    handle, partial = tempfile.mkstemp(prefix=PARTIAL, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Make a file, or the renames in a folder, survive a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Pointer:
    """The pointer file of one installation.

    Parameters
    ----------
    path
        Where it lies.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> ModelUri | None:
        """Give the version that serves; None where there is no pointer, or not a readable one."""
        try:
            return ModelUri.parse(self._path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError):
            return None

    def write(self, uri: ModelUri) -> None:
        """Name the version that serves from now on."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, f"{uri}\n".encode())

    def stamp(self) -> tuple[int, int, int] | None:
        """Give a mark that changes with every write; None where there is no pointer."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size
