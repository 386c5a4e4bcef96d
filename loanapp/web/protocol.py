"""HTTP for strangers: a head or a body that does not come in time ends its connection.

uvicorn waits for a request's bytes without end, which a few hundred half-sent requests use up
(slow loris), and takes a head of any size.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from loanapp.core.settings import Settings

HEAD_BYTES = 65_536
UNREAD_S = 60
TOO_SLOW = b"HTTP/1.1 408 Request Timeout"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large"
NO_BODY = b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Times:
    """How long a client may take.

    Parameters
    ----------
    header_s
        In which a request's head must have arrived.
    body_s, body_least_kb_s
        How often a body is looked after, and how fast it must have arrived meanwhile.
    """

    header_s: float = 10.0
    body_s: float = 10.0
    body_least_kb_s: float = 1.0

    @classmethod
    def of(cls, settings: Settings) -> Times:
        """Take them from the settings."""
        return cls(settings.header_timeout_s, settings.body_timeout_s, settings.body_least_kb_s)


class TimedConfig(Config):
    """uvicorn's configuration with the times of its connections."""

    def __init__(self, app: Any, times: Times, **options: Any) -> None:
        super().__init__(app, http=TimedProtocol, **options)
        self.times = times


class TimedProtocol(HttpToolsProtocol):
    """One connection, and what is being waited for on it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._times: Times = getattr(self.config, "times", Times())
        self._awaited: Literal["head", "body", None] = None
        self._watch: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._arrived = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Await the first head."""
        super().connection_made(transport)
        self._await("head")

    def connection_lost(self, exc: Exception | None) -> None:
        """Await nothing more."""
        self._await(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; what begins a head must go on with it."""
        self._arrived += len(data)
        if self._awaited is None and (self.cycle is None or self.cycle.response_complete):
            self._await("head", len(data))
        super().data_received(data)
        if self._awaited == "head" and self._arrived > HEAD_BYTES:
            self._end(TOO_LARGE)

    def on_message_begin(self) -> None:
        """Await the rest of a head that came right behind another request."""
        super().on_message_begin()
        if self._awaited is None:
            self._await("head", 1)

    def on_headers_complete(self) -> None:
        """Await the body."""
        super().on_headers_complete()
        self._await("body")

    def on_message_complete(self) -> None:
        """Await nothing: it is ours to answer."""
        super().on_message_complete()
        self._await(None)

    def pause_writing(self) -> None:
        """Give whoever does not read the answer some time."""
        super().pause_writing()
        self._unread = self._unread or self.loop.call_later(UNREAD_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the answer is being read."""
        super().resume_writing()
        if self._unread:
            self._unread.cancel()
            self._unread = None

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to its new protocol."""
        self._await(None)
        super().handle_websocket_upgrade()

    def _await(self, what: Literal["head", "body", None], arrived: int = 0) -> None:
        if self._watch:
            self._watch.cancel()
        self._awaited, self._arrived, self._watch = what, arrived, None
        if what:
            seconds = self._times.header_s if what == "head" else self._times.body_s
            self._watch = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """End the connection of a client that is too slow; where we are, wait on."""
        least = max(1.0, self._times.body_least_kb_s * 1000 * self._times.body_s)
        if self._awaited == "body" and (self.flow.read_paused or self._arrived >= least):
            self._await("body")
        elif self._awaited == "head" and self._answering:
            self._await("head", self._arrived)
        else:
            self._end(TOO_SLOW)

    def _end(self, status_line: bytes) -> None:
        """Close the connection, with a word where that is not in the middle of an answer."""
        unanswered = self._arrived > 0 if self._awaited == "head" else not self._answered
        self._await(None)
        if not self.transport.is_closing():
            if unanswered:
                self.transport.write(status_line + NO_BODY)
            self.transport.close()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _answered(self) -> bool:
        return self.cycle is not None and self.cycle.response_started
