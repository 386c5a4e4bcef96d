"""Work on the blocks of something large: on all cores, in order, a few at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(call: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Apply a call to each item, in threads, while the next items are made.

    Parameters
    ----------
    call
        Work that mostly runs outside of Python's lock. A single item is worked on right here.
    items
        Taken as they are needed: never more than two for each core are held.

    Yields
    ------
    The results, in the order of the items.
    """
    coming = iter(items)
    begun = list(islice(coming, 2))
    if len(begun) < 2:
        yield from map(call, begun)
        return
    cores = os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        try:
            for item in chain(begun, coming):
                waiting.append(pool.submit(call, item))
                if len(waiting) > cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
