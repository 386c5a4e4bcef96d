"""The container's output: every line of every program, whole and as JSON.

supervisord copies what its programs write piece by piece, which tears long lines and mixes them.
So each program has a named pipe of its own that supervisord takes for its log file.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, Thread
from typing import Self

LONGEST = 1 << 20
OWN = re.compile(r"[\d-]+ [\d:,]+ (?P<level>[A-Z]{4}) (?P<event>.*)")
LEVELS = {"WARN": "warning", "ERRO": "error", "CRIT": "error"}


class Lines:
    """Reads the programs' pipes and writes their lines, one after the other, to standard output.

    Parameters
    ----------
    folder
        Where the pipes are made, each called ``<program>.log``.
    programs
        Whose they are.
    """

    def __init__(self, folder: Path, programs: Sequence[str]) -> None:
        self._folder, self._programs = folder, programs
        self._writing = Lock()
        self._ends: list[int] = []
        self._threads: list[Thread] = []

    def __enter__(self) -> Self:
        """Make the pipes and begin to read."""
        self._folder.mkdir(exist_ok=True)
        for program in self._programs:
            pipe = self._folder / f"{program}.log"
            pipe.unlink(missing_ok=True)
            os.mkfifo(pipe, 0o600)
            reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
            os.set_blocking(reading, True)
            # An end of our own: a pipe without any writer would end the reading.
            self._ends.append(os.open(pipe, os.O_WRONLY))
            thread = Thread(target=self._read, args=(reading, program), name=f"lines-{program}")
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is left."""
        for end in self._ends:
            os.close(end)
        for thread in self._threads:
            thread.join()

    def tell(self, program: str, level: str, event: str) -> None:
        """Write a line of one's own."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": moment, "level": level, "program": program, "event": event}
        self._write(json.dumps(line, ensure_ascii=False).encode())

    def _read(self, reading: int, program: str) -> None:
        with open(reading, "rb") as lines:
            while line := lines.readline(LONGEST):
                self._pass_on(line.rstrip(), program)

    def _pass_on(self, line: bytes, program: str) -> None:
        if not line:
            return
        if _is_object(line):
            self._write(line)
            return
        text = line.decode("utf-8", "replace")
        own = OWN.fullmatch(text) if program == "supervisord" else None
        if own:
            self.tell(program, LEVELS.get(own["level"], "info"), own["event"])
        else:
            self.tell(program, "info", text)

    def _write(self, line: bytes) -> None:
        with self._writing:
            sys.stdout.buffer.write(line + b"\n")
            sys.stdout.buffer.flush()


def _is_object(line: bytes) -> bool:
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
