"""A training stops within two seconds wherever it is and leaves nothing, or goes live whole."""

import time

import pytest

from loanapp.core.events import fold
from loanapp.core.home import Home
from loanapp.core.service import Service
from loanapp.core.store.pointer import ModelUri, Pointer
from tests.faults.traces import artifacts, leftovers, runs, wait_until
from tests.faults.warm import Place

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(900)]

RETRAINING, TRACKING = "loanapp.core.retraining", "loanapp.core.store.tracking"
PLACES = {
    "read": Place(RETRAINING, "gather", "paused"),
    "fit": Place("loanapp.core.model.training", "to_frame", "paused"),
    "epoch": Place("loanapp.core.worker", "append", "paused", {"epoch": 5}),
    "evaluate": Place("loanapp.core.model.training", "evaluate_model", "paused"),
    "compare": Place(RETRAINING, "compare_with", "paused"),
    "bundle": Place(RETRAINING, "save_bundle", "paused"),
    "log": Place(TRACKING, "Tracking._log_pictures", "paused"),
    "model": Place(TRACKING, "trusted_types", "paused"),
    "register": Place("loanapp.core.worker", "append", "paused", {"phase": "register"}),
    "deaf in a fit": Place("loanapp.core.worker", "append", "stuck", {"epoch": 5}),
    "deaf in MLflow": Place(TRACKING, "Tracking._log_pictures", "stuck"),
}


def reach(service, home, job_id):
    folder = home / "jobs" / job_id
    wait_until(lambda: fold(folder).get("paused") or not service.job(job_id).active, 120)
    assert service.job(job_id).active


def test_a_stop_takes_two_seconds_and_leaves_nothing(home, make_settings, training):
    service = Service(make_settings(home))
    known = (runs(home), artifacts(home), service.models(), service.history())
    for name, place in PLACES.items():
        job_id = training(service, place)
        reach(service, home, job_id)
        begun = time.monotonic()
        stopped = service.cancel(job_id)
        assert time.monotonic() - begun < 2, name
        assert stopped.state == "cancelled", name
        assert leftovers(home / "jobs") == [], name
        if "deaf" in name:  # what it could not take away itself another process does, or a start
            wait_until(lambda: runs(home) == known[0] and artifacts(home) == known[1], 240)
            Service(make_settings(home)).close()
            wait_until(lambda: leftovers(home) == [], 30)
        assert (runs(home), artifacts(home), service.models(), service.history()) == known, name
        assert leftovers(home) == [], name
    service.close()


@pytest.mark.parametrize(
    "place",
    [
        Place("loanapp.core.store.registry", "Registry.register", "paused"),
        Place("loanapp.core.store.pointer", "Pointer.write", "stuck"),
    ],
)
def test_a_training_that_is_about_to_go_live_is_not_stopped_half_way(
    home, make_settings, training, place
):
    service = Service(make_settings(home))
    job_id = training(service, place)
    reach(service, home, job_id)
    assert service.cancel(job_id).state == "running"
    *_, ended = service.follow(job_id)
    assert ended.state == "finished", ended.reason
    assert ended.result.promoted
    assert Pointer(Home(home).pointer).read() == ModelUri("loanapp", "2")
    assert service.history()[0].version == "2"
    service.close()


def test_a_training_beyond_its_limit_leaves_nothing_either(home, make_settings, training):
    service = Service(make_settings(home, training_time_limit_s=1))
    known = (runs(home), artifacts(home))
    job_id = training(service, Place("loanapp.core.worker", "append", "paused", {"epoch": 2}))
    *_, ended = service.follow(job_id)
    assert ended.state == "failed"
    assert "1.0 seconds" in str(ended.reason)
    assert (runs(home), artifacts(home), leftovers(home)) == (*known, [])
    service.close()
