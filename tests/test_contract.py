"""The service, the REST client and the API beside the pages give the same answers and errors."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pyarrow.csv as pa_csv
import pytest

from loanapp.api.app import create_app
from loanapp.client import Client
from loanapp.core.answers import TrainingOptions
from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import Schema
from loanapp.core.errors import (
    InvalidTable,
    NoModel,
    TrainingBusy,
    TrainingFailed,
    UnknownJob,
    UnknownVersion,
)
from loanapp.core.service import Service
from loanapp.core.settings import Settings
from loanapp.i18n import translate
from loanapp.ui.backend import Backend

pytestmark = pytest.mark.timeout(300)


@contextmanager
def embedded(home: Path) -> Iterator[str]:
    """Run ``loanapp serve`` as users do; gives the address of the API in it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "LOANAPP_HOME": str(home)}
    command = [sys.executable, "-m", "loanapp", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, cwd=home, stderr=subprocess.PIPE)
    url = f"http://127.0.0.1:{port}/api"
    try:
        _wait_for(f"{url}/health", process)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=40)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(process.stderr.read().decode() if process.stderr else "")


@pytest.fixture(scope="module", params=["service", "rest", "embedded"])
def backend(
    request: pytest.FixtureRequest,
    two_versions_home: Path,
    tmp_path_factory: pytest.TempPathFactory,
    copying: Callable[[Path, Path], Path],
    make_settings: Callable[[Path], Settings],
    listening: Callable[..., AbstractContextManager[str]],
) -> Iterator[Backend]:
    home = copying(two_versions_home, tmp_path_factory.mktemp(request.param) / "home")
    if request.param == "embedded":
        with embedded(home) as url, Client(url) as client:
            yield client
        return
    with closing(Service(make_settings(home))) as service:
        if request.param == "service":
            yield service
            return
        with (
            listening(create_app(service, service.settings)) as url,
            Client(url) as client,
        ):
            yield client


@pytest.fixture(scope="module")
def reference(
    two_versions_home: Path, make_settings: Callable[[Path], Settings]
) -> Iterator[Service]:
    with closing(Service(make_settings(two_versions_home))) as service:
        yield service


def test_health_and_contract(backend: Backend, schema: Schema) -> None:
    health = backend.health()
    assert (health.status, health.model_version, health.model_uri) == (
        "ok",
        "2",
        "models:/loanapp/2",
    )
    assert health.metrics is not None
    assert health.metrics.mae > 0
    assert backend.schema().document == schema.document


def test_the_same_file_gives_the_same_amounts(
    backend: Backend, reference: Service, clients_csv: bytes
) -> None:
    there = backend.predict(io.BytesIO(clients_csv))
    here = reference.predict(io.BytesIO(clients_csv))
    for name in ("amounts", "lower", "upper", "expected"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), rtol=0, atol=1e-6)
    assert there.model_version == here.model_version
    assert there.clients.equals(here.clients)
    assert there.report == here.report


def test_the_same_client_as_a_record_gives_the_same_amount(
    backend: Backend, clients_csv: bytes
) -> None:
    records = pa_csv.read_csv(io.BytesIO(clients_csv)).slice(0, 10).to_pylist()
    amounts = backend.predict_records(records).amounts
    file = backend.predict(io.BytesIO(clients_csv)).amounts
    np.testing.assert_allclose(amounts, file[:10], rtol=0, atol=1e-3)


def test_a_refused_file_names_the_same_places_in_the_same_words(
    backend: Backend, reference: Service, clients_csv: bytes
) -> None:
    broken = clients_csv.replace(b"oui", b"peut-etre", 3)
    with pytest.raises(InvalidTable) as here:
        reference.predict(io.BytesIO(broken))
    with pytest.raises(InvalidTable) as there:
        backend.predict(io.BytesIO(broken))
    assert there.value.report.problem_count == here.value.report.problem_count == 3
    for language in ("fr", "en"):
        assert translate(there.value.message, language) == translate(here.value.message, language)
        assert [
            (p.row, p.column, p.value, translate(p.problem, language))
            for p in there.value.report.problems
        ] == [
            (p.row, p.column, p.value, translate(p.problem, language))
            for p in here.value.report.problems
        ]


def test_good_rows_are_scored_and_refused_ones_given_back(
    backend: Backend, reference: Service, clients_csv: bytes
) -> None:
    broken = clients_csv.replace(b"oui", b"peut-etre", 2)
    there = backend.predict(io.BytesIO(broken), skip_invalid=True)
    here = reference.predict(io.BytesIO(broken), skip_invalid=True)
    np.testing.assert_array_equal(np.isnan(there.amounts), np.isnan(here.amounts))
    assert np.isnan(there.amounts).any()
    assert there.rejected is not None
    assert here.rejected is not None
    assert there.rejected.cells.equals(here.rejected.cells)
    assert there.rejected.reasons == here.rejected.reasons
    np.testing.assert_array_equal(there.rejected.lines, here.rejected.lines)


def test_inspecting_answers_for_good_and_bad_files(
    backend: Backend, reference: Service, clients_csv: bytes
) -> None:
    assert backend.inspect(io.BytesIO(clients_csv), "predict") == reference.inspect(
        io.BytesIO(clients_csv), "predict"
    )
    bad = backend.inspect(io.BytesIO(clients_csv), "train")
    assert (bad.valid, bad.report.problem_count) == (False, 1)


@pytest.mark.parametrize("file", [b"", b"\x89PNG\r\n\x1a\n0000", b"a,b\n1,2\n"])
def test_what_is_no_client_file_is_refused(backend: Backend, file: bytes) -> None:
    with pytest.raises(InvalidTable):
        backend.predict(io.BytesIO(file))
    with pytest.raises(InvalidTable):
        backend.start_training(io.BytesIO(file), TrainingOptions())


def test_what_does_not_exist_is_said_to_be_unknown(backend: Backend) -> None:
    for version in ("99", "x"):
        with pytest.raises(UnknownVersion):
            backend.model(version)
    with pytest.raises(UnknownVersion):
        backend.promote("99")
    with pytest.raises(UnknownJob):
        backend.job("none")
    with pytest.raises(UnknownJob):
        list(backend.follow("none"))
    with pytest.raises(UnknownJob):
        backend.cancel("none")


def test_versions_and_their_pictures(backend: Backend, reference: Service) -> None:
    assert list(backend.models()) == list(reference.models())
    assert backend.model("1") == reference.model("1")


def test_rollback_promotion_and_history(backend: Backend) -> None:
    assert backend.rollback(author="Ada", reason="it drifts").version == "1"
    assert backend.health().model_version == "1"
    assert backend.promote("2", author="Ada").champion
    assert backend.health().model_version == "2"
    promoted, rolled_back = list(backend.history())[:2]
    assert (promoted.action, promoted.version, promoted.author) == ("promote", "2", "Ada")
    assert (rolled_back.action, rolled_back.reason) == ("rollback", "it drifts")
    assert backend.live_at(rolled_back.at) == rolled_back
    assert backend.live_at(datetime(2001, 1, 1, tzinfo=UTC)) is None


def test_a_training_is_followed_refused_beside_another_and_stopped(
    backend: Backend, schema: Schema
) -> None:
    file = sample_csv(schema, 3000, seed=9)
    options = TrainingOptions(author="Ada", seed=4)
    job = backend.start_training(io.BytesIO(file), options, file_name="new.csv")
    assert job.active
    with pytest.raises(TrainingBusy) as busy:
        backend.start_training(io.BytesIO(file), TrainingOptions())
    assert (busy.value.job_id, busy.value.retry_after_s > 0) == (job.id, True)
    followed = backend.follow(job.id)
    assert next(followed).active
    assert backend.cancel(job.id).state == "cancelled"
    assert [*followed][-1].state == "cancelled"
    assert backend.jobs()[0].id == job.id
    assert (backend.job(job.id).author, backend.job(job.id).file_name) == ("Ada", "new.csv")


def test_too_few_rows_make_no_training(backend: Backend, schema: Schema) -> None:
    with pytest.raises(TrainingFailed):
        backend.start_training(io.BytesIO(sample_csv(schema, 5)), TrainingOptions())


def test_without_a_model_all_say_so(
    empty_service: Service,
    listening: Callable[..., AbstractContextManager[str]],
    clients_csv: bytes,
) -> None:
    with (
        listening(create_app(empty_service, empty_service.settings)) as url,
        Client(url) as client,
    ):
        for backend in (empty_service, client):
            assert backend.health().status == "no_model"
            assert list(backend.models()) == []
            with pytest.raises(NoModel) as refused:
                backend.predict(io.BytesIO(clients_csv))
            assert "train" in translate(refused.value.message, "en")
