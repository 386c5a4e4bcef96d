"""One line an event, on the terminal and under ``logs/``: JSON in a container.

A line never holds a name or the value of a cell: callers log counts, versions and identifiers.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from logging.handlers import RotatingFileHandler
from typing import Any

from loanapp.core.home import Home
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
    formatter: logging.Formatter = JsonFormatter() if settings.log_json else TextFormatter()
    handlers: list[logging.Handler] = [
        RotatingFileHandler(
            home.logs / f"{program}.log", maxBytes=FILE_BYTES, backupCount=FILES_KEPT,
            encoding="utf-8", delay=True,
        )
    ]  # fmt: skip
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


class TextFormatter(logging.Formatter):
    """A line for a person: time, level, message, facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        facts = "".join(f" {k}={v}" for k, v in _facts(record).items())
        line = f"{moment} {record.levelname.lower()} {record.getMessage()}{facts}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """A JSON object for a machine."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
