"""What the tests share: one small real model, trained once, and copies of its installation."""

from __future__ import annotations

import io
import os
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

# As the command line does: several threads of the library would share a row's sums differently
# from one call to the next. It reads this when NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
import uvicorn
from fastapi.testclient import TestClient
from filelock import FileLock

from loanapp.api.app import create_app
from loanapp.core.answers import TrainingOptions
from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import Schema, load_schema
from loanapp.core.service import Service
from loanapp.core.settings import Settings

ROWS = 400


@pytest.fixture(scope="session", autouse=True)
def no_settings_from_outside() -> Iterator[None]:
    """Keep the variables of whoever runs the tests out of them."""
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith("LOANAPP_")]:
        patch.delenv(name)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def schema() -> Schema:
    """The built-in contract."""
    return load_schema()


@pytest.fixture(scope="session")
def clients_csv(schema: Schema) -> bytes:
    """200 clients without the target, as a file."""
    return sample_csv(schema, 200, seed=7, target=False)


@pytest.fixture(scope="session")
def training_csv(schema: Schema) -> bytes:
    """Clients with the target, as a file."""
    return sample_csv(schema, ROWS, seed=1)


def settings_of(home: Path, **changes: object) -> Settings:
    """Settings for an installation of its own, whatever ``.env`` lies around."""
    return Settings(home=home, _env_file=None, **changes)  # type: ignore[arg-type, call-arg]


@pytest.fixture(scope="session")
def make_settings() -> Callable[..., Settings]:
    """Make settings for a home."""
    return settings_of


def train(home: Path, file: bytes, **choices: object) -> None:
    """Train for real, in the training process, and wait."""
    with closing(Service(settings_of(home))) as service:
        options = TrainingOptions(**choices)  # type: ignore[arg-type]
        started = service.start_training(io.BytesIO(file), options, file_name="clients.csv")
        *_, ended = service.follow(started.id)
    assert ended.state == "finished", ended.reason


def copy_home(source: Path, target: Path) -> Path:
    """Copy an installation. Its database holds absolute paths: they follow."""
    shutil.copytree(source, target)
    with closing(sqlite3.connect(target / "mlflow.db")) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            for _, column, kind, *_ in database.execute(f"PRAGMA table_info('{table}')").fetchall():
                if kind.upper().startswith(("VARCHAR", "TEXT")):
                    database.execute(
                        f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?)'
                        f' WHERE "{column}" LIKE ?',
                        (str(source), str(target), f"%{source}%"),
                    )
        database.commit()
    return target


def made_once(temporary: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Make a home once for all the processes that share the tests."""
    base = temporary.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home, made = base / name, base / f"{name}.made"
    with FileLock(base / f"{name}.lock"):
        if not made.exists():
            shutil.rmtree(home, ignore_errors=True)
            make(home)
            made.touch()
    return home


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory, training_csv: bytes) -> Path:
    """An installation with one small real model. Not to be written to: copy it."""
    choices = {"seed": 1, "author": "Camille", "reason": "first"}
    return made_once(tmp_path_factory, "trained", lambda home: train(home, training_csv, **choices))


@pytest.fixture(scope="session")
def two_versions_home(
    tmp_path_factory: pytest.TempPathFactory, trained_home: Path, schema: Schema
) -> Path:
    """An installation with two models, the second of which serves. Not to be written to."""

    def make(home: Path) -> None:
        copy_home(trained_home, home)
        second = sample_csv(schema, ROWS, seed=2)
        train(home, second, seed=2, author="Dominique", reason="second")

    return made_once(tmp_path_factory, "twice", make)


@pytest.fixture
def home(trained_home: Path, tmp_path: Path) -> Path:
    """An installation of the test's own, with one model."""
    return copy_home(trained_home, tmp_path / "home")


@pytest.fixture
def settings(home: Path) -> Settings:
    """Settings of the test's own installation."""
    return settings_of(home)


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    """A service with one model."""
    with closing(Service(settings)) as service:
        yield service


@pytest.fixture
def empty_service(tmp_path: Path) -> Iterator[Service]:
    """A service without a model."""
    with closing(Service(settings_of(tmp_path / "empty"))) as service:
        yield service


@contextmanager
def calling_api(service: Service, **changes: object) -> Iterator[TestClient]:
    """Call the API of a service, without a network; bugs are answers, as they are in service."""
    settings = service.settings.model_copy(update=changes)
    with TestClient(create_app(service, settings), raise_server_exceptions=False) as client:
        client.headers["Accept-Language"] = "en"
        yield client


@pytest.fixture
def calling() -> Callable[..., AbstractContextManager[TestClient]]:
    """Call the API of a service, with other settings where a test needs them."""
    return calling_api


@pytest.fixture
def api_client(service: Service) -> Iterator[TestClient]:
    """Call the API of a service with one model."""
    with calling_api(service) as client:
        yield client


@pytest.fixture
def empty_api_client(empty_service: Service) -> Iterator[TestClient]:
    """Call the API of a service without a model."""
    with calling_api(empty_service) as client:
        yield client


@contextmanager
def listening_on_a_port(app: Callable[..., object]) -> Iterator[str]:
    """Serve an application on a port of its own; gives its address."""
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def listening() -> Callable[..., AbstractContextManager[str]]:
    """Serve an application on a port of its own."""
    return listening_on_a_port


@pytest.fixture(scope="session")
def copying() -> Callable[[Path, Path], Path]:
    """Copy an installation."""
    return copy_home
