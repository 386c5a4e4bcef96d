"""Retraining again, on more files, or under another rule, through the whole training process."""

import io
import threading

import pytest

from loanapp.core import jobs
from loanapp.core.answers import TrainingOptions
from loanapp.core.data.samples import sample_csv
from loanapp.core.errors import TrainingBusy
from loanapp.core.service import Service
from tests.faults.warm import spawner

pytestmark = [pytest.mark.slow, pytest.mark.soak, pytest.mark.timeout(900)]


@pytest.fixture
def service(two_versions_home, tmp_path, copying, make_settings, monkeypatch):
    monkeypatch.setattr(jobs, "spawn", spawner())
    service = Service(make_settings(copying(two_versions_home, tmp_path / "home")))
    yield service
    service.close()


def train(service, file, **choices):
    job = service.start_training(io.BytesIO(file), TrainingOptions(**choices))
    *_, ended = service.follow(job.id)
    assert ended.state == "finished", ended.reason
    return ended.result


def test_all_data_trains_on_earlier_files_too_without_double_rows(service, schema):
    new = sample_csv(schema, 100, seed=31)
    first = train(service, new, data="all", seed=1)
    assert first.n_rows == 100 + 400 + 400
    again = train(service, new, data="all", seed=1)
    assert (again.reused, again.model_version) == (True, first.model_version)
    other = train(service, new, data="all", seed=2)
    assert (other.reused, other.n_rows) == (False, 900)


def test_the_same_request_gives_the_same_version_unless_forced_or_changed(service, schema):
    file = sample_csv(schema, 100, seed=32)
    first = train(service, file, seed=1)
    assert (first.reused, first.model_version) == (False, "3")
    assert train(service, file, seed=1, author="somebody else").model_version == "3"
    with_a_bom = b"\xef\xbb\xbf" + file.replace(b",", b";")
    assert train(service, with_a_bom, seed=1).model_version == "3"
    assert train(service, file, seed=2).model_version == "4"
    assert train(service, file, seed=1, features="lawful").model_version == "5"
    forced = train(service, file, seed=1, force=True)
    assert (forced.reused, forced.model_version) == (False, "6")
    assert service.models()[0].request_hash == service.models()[3].request_hash
    assert [entry.version for entry in service.history()] == ["6", "5", "4", "3", "2", "1"]


def test_what_was_trained_before_is_judged_against_what_serves_now(service, schema):
    good, bad = sample_csv(schema, 3_000, seed=33), sample_csv(schema, 60, seed=34)
    best = train(service, good, promotion="better")
    assert best.promoted, str(best.message)
    worse = train(service, bad, promotion="better")
    assert not worse.promoted
    again = train(service, bad, promotion="better")
    assert (again.reused, again.promoted) == (True, False)
    assert "not live" in str(again.message)
    assert service.health().model_version == best.model_version
    service.promote(worse.model_version)
    back = train(service, good, promotion="better")
    assert (back.reused, back.promoted) == (True, True)
    assert service.health().model_version == best.model_version


def test_of_two_at_once_one_trains_and_the_other_is_told_who(service, schema):
    file, told, began = sample_csv(schema, 100, seed=35), [], []

    def start(author):
        try:
            options = TrainingOptions(author=author)
            began.append(service.start_training(io.BytesIO(file), options))
        except TrainingBusy as busy:
            told.append((author, busy))

    starters = [threading.Thread(target=start, args=(name,)) for name in ("Ada", "Grace", "Mary")]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert len(began) == 1
    for author, busy in told:
        assert author not in str(busy)
        assert began[0].author in str(busy)
        assert busy.job_id == began[0].id
        assert busy.retry_after_s >= 1
    assert len(service.jobs()) == 3
    *_, ended = service.follow(began[0].id)
    assert train(service, file).model_version == ended.result.model_version
