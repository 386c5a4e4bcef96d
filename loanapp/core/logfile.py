"""A log file that several processes write to: workers, commands and trainings share one home."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from filelock import FileLock, Timeout

LOCK_WAIT_S = 1.0


class SharedFile(logging.Handler):
    """Appends whole lines, and moves a full file aside once, whoever finds it full.

    A line is one write to a file that is open for appending, so lines of two processes never mix;
    one that was just being written when the file was moved is in the older file.

    Parameters
    ----------
    path
        The file; older ones are called ``<path>.1`` and so on. Made with the first line.
    file_bytes, kept
        How long a file may grow, and how many older ones stay.
    """

    def __init__(self, path: Path, *, file_bytes: int, kept: int) -> None:
        super().__init__()
        self._path, self._file_bytes, self._kept = path, file_bytes, kept
        self._handle: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
            if self._size() + len(line) > self._file_bytes:
                self._rotate(len(line))
            os.write(self._open(), line)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Let go of the file."""
        with self.lock or contextlib.nullcontext():
            self._let_go()
        super().close()

    def _open(self) -> int:
        """Open the file, again where another process has moved it aside."""
        if self._handle is not None and not self._is_current(self._handle):
            self._let_go()
        if self._handle is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            self._handle = os.open(self._path, flags, 0o640)
        return self._handle

    def _let_go(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _is_current(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except FileNotFoundError:
            return False

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _rotate(self, coming: int) -> None:
        """Move the files on by one, unless another process has just done so."""
        with (
            contextlib.suppress(Timeout, OSError),
            FileLock(f"{self._path}.lock", timeout=LOCK_WAIT_S),
        ):
            size = self._size()
            if not size or size + coming <= self._file_bytes:
                return
            self._let_go()
            for number in range(self._kept, 1, -1):
                older = self._older(number - 1)
                if older.exists():
                    older.replace(self._older(number))
            self._path.replace(self._older(1))

    def _older(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
