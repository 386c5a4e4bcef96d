"""What the security tests share: programs as they are started, requests as bytes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import pytest

PATIENCE_S = 60


@contextmanager
def start_program(
    home: Path, *arguments: str, host: str = "127.0.0.1", **settings: object
) -> Iterator[tuple[int, psutil.Process]]:
    """Run a program of the product; gives its port and its process once it listens."""
    with socket.socket() as free:
        free.bind((host, 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "loanapp", *arguments, "--host", host, "--port", str(port)]
    environment = {**os.environ, "LOANAPP_HOME": str(home)}
    environment |= {f"LOANAPP_{name.upper()}": str(value) for name, value in settings.items()}
    process = subprocess.Popen(
        command, env=environment, cwd=home, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + PATIENCE_S
        while not listens(host, port):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


@pytest.fixture(scope="session")
def program() -> Callable[..., AbstractContextManager[tuple[int, psutil.Process]]]:
    """Run a program of the product with settings."""
    return start_program
