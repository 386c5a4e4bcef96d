"""How many requests one client may send: a bucket of tokens each."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from loanapp.core.errors import message
from loanapp.web.refusal import RequestRefused

BURST_S = 2.0
CLIENTS_KEPT = 10_000


class Rates:
    """Counts the requests of each client; bursts of two seconds' worth are let through.

    Parameters
    ----------
    per_s
        Requests a second; 0: as many as they like.
    clock
        Seconds that only go forward.
    """

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._clock = per_s, clock
        self._room = max(1.0, per_s * BURST_S)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Count a request. Raises RequestRefused, with when to come again, where it is too many."""
        if not self._per_s:
            return
        now = self._clock()
        left, since = self._buckets.pop(client, (self._room, now))
        left = min(self._room, left + (now - since) * self._per_s)
        self._buckets[client] = (max(left - 1, 0.0) if left >= 1 else left, now)
        if len(self._buckets) > CLIENTS_KEPT:
            self._buckets.popitem(last=False)
        if left < 1:
            raise RequestRefused(
                429,
                message("These are too many requests at once: wait a moment."),
                max(1, math.ceil((1 - left) / self._per_s)),
            )
