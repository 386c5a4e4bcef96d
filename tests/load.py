"""Clients that ask without a pause: what is lost when a server stops, dies or is busy?"""

from __future__ import annotations

import threading
from typing import Self

import httpx

CLIENTS = 16


class Load:
    """Predicts from many threads, half of them with a new connection for each request.

    Parameters
    ----------
    url
        Of the API.
    body
        A client file.

    Attributes
    ----------
    answered
        How many requests were answered with 200.
    lost
        What became of the others. A connection that was refused is not among them: nobody had
        accepted that request, and its sender asks elsewhere.
    """

    def __init__(self, url: str, body: bytes) -> None:
        self.url, self.body = url, body
        self.answered = 0
        self.lost: list[object] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(i,)) for i in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        headers = {"Content-Type": "text/csv"} | ({"Connection": "close"} if number % 2 else {})
        with httpx.Client(base_url=self.url, headers=headers, timeout=60) as client:
            while not self._stop.is_set():
                try:
                    answer = client.post("/predict", content=self.body)
                except httpx.ConnectError:
                    return
                except httpx.HTTPError as error:
                    self.lost.append(repr(error))
                    return
                if answer.status_code == 200:
                    self.answered += 1
                else:
                    self.lost.append(answer.status_code)
