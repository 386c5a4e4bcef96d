"""One line an event, on the terminal and under ``logs/``: JSON in a container.

A line never holds a name or the value of a cell: callers log counts, versions and identifiers, and
an error is written without its own words.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any

from loanapp.core.home import Home
from loanapp.core.logfile import SharedFile
from loanapp.core.settings import Settings

FILE_BYTES, FILES_KEPT = 5_000_000, 5
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure_logging(settings: Settings, program: str, *, terminal: bool = True) -> None:
    """Send the logs of ``loanapp`` to ``logs/<program>.log`` and to standard error.

    Parameters
    ----------
    settings
        ``home``, ``log_level``, ``log_json``.
    program
        Which of the programs this is: it names the file.
    terminal
        Whether standard error gets the lines too.
    """
    home = Home(settings.home)
    home.logs.mkdir(parents=True, exist_ok=True)
    formatter = JsonFormatter(program) if settings.log_json else TextFormatter()
    handlers: list[logging.Handler] = [
        SharedFile(home.logs / f"{program}.log", file_bytes=FILE_BYTES, kept=FILES_KEPT)
    ]
    if terminal:
        handlers.append(logging.StreamHandler(sys.stderr))
    logger = logging.getLogger("loanapp")
    for old in logger.handlers[:]:
        logger.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    logger.setLevel(settings.log_level)
    logger.propagate = False


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {k: v for k, v in vars(record).items() if k not in _STANDARD}


class Formatter(logging.Formatter):
    """Writes of an error where it came up and what kind it is: its own words may quote a client."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Write an error and what led to it."""
        told, error = [], ei[1]
        while error is not None:
            reason = f": {error.strerror}" if isinstance(error, OSError) else ""
            frames = "".join(traceback.format_tb(error.__traceback__))
            told.append(f"{frames}{type(error).__qualname__}{reason}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\nwhich came of\n".join(told)


class TextFormatter(Formatter):
    """A line for a person: time, level, message, facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        facts = "".join(f" {k}={v}" for k, v in _facts(record).items())
        line = f"{moment} {record.levelname.lower()} {record.getMessage()}{facts}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(Formatter):
    """A JSON object for a machine.

    Parameters
    ----------
    program
        Which of the programs writes: they come together in a container's output.
    """

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        """Write the record."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "program": self._program,
            "logger": record.name,
            "event": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
