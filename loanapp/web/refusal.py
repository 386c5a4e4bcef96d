"""A request that is refused before anything is done with it."""

from __future__ import annotations

from loanapp.core.errors import Message


class RequestRefused(Exception):
    """A request that is wrong in itself: its type, form, origin or number.

    Parameters
    ----------
    status
        A 4xx status.
    what
        What is wrong and what to send instead.
    retry_after_s
        After how many seconds another try is sensible.
    """

    def __init__(self, status: int, what: Message, retry_after_s: int | None = None) -> None:
        self.status, self.message, self.retry_after_s = status, what, retry_after_s
        super().__init__(str(what))
