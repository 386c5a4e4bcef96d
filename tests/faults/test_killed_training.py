"""A training killed at any moment leaves the champion serving and nothing behind."""

import io

import numpy as np
import pytest

from loanapp.core.events import fold
from loanapp.core.home import Home
from loanapp.core.process import find
from loanapp.core.service import Service
from loanapp.core.store.pointer import ModelUri, Pointer
from loanapp.core.store.registry import Registry
from loanapp.core.store.uri import tracking_uri
from tests.faults.traces import leftovers, unfinished_runs, wait_until
from tests.faults.warm import PLAIN_WRITE, Place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WORKER, RETRAINING = "loanapp.core.worker", "loanapp.core.retraining"
TRACKING, REGISTRY = "loanapp.core.store.tracking", "loanapp.core.store.registry"
PROMOTION, POINTER = "loanapp.core.store.promotion", "loanapp.core.store.pointer"
TRAINING = "loanapp.core.model.training"

PHASES = {
    "read": (
        Place(WORKER, "append", "after", {"phase": "read"}),
        Place(RETRAINING, "gather", "before"),
        Place(RETRAINING, "hash_request", "after"),
    ),
    "fit": (
        Place(WORKER, "append", "after", {"phase": "fit"}),
        Place(TRAINING, "make_features", "after"),
        Place(TRAINING, "to_frame", "after"),
    ),
    "epoch": (
        Place(WORKER, "append", "after", {"epoch": 1}),
        Place(WORKER, "append", "before", {"epoch": 5}),
        Place(WORKER, "append", "after", {"epoch": 8}),
    ),
    "evaluate": (
        Place(WORKER, "append", "after", {"phase": "evaluate"}),
        Place(TRAINING, "evaluate_model", "after"),
        Place(RETRAINING, "compare_with", "before"),
        Place(RETRAINING, "compare_with", "after"),
    ),
    "bundle": (
        Place(WORKER, "append", "after", {"phase": "bundle"}),
        Place(RETRAINING, "save_bundle", "after"),
        Place(RETRAINING, "install_bundle", "before"),
        Place(RETRAINING, "install_bundle", "after"),
    ),
    "log": (
        Place(TRACKING, "Tracking._create_run", "after"),
        Place(TRACKING, "Tracking._log_data", "after"),
        Place(TRACKING, "Tracking._log_model", "before"),
        Place(TRACKING, "Tracking._log_model", "after"),
    ),
    "register": (
        Place(WORKER, "append", "after", {"committed": True}),
        Place(REGISTRY, "Registry.register", "before"),
        Place(REGISTRY, "Registry.register", "after"),
    ),
    "alias": (
        Place(REGISTRY, "Registry.set_champion", "before"),
        Place(REGISTRY, "Registry.record_move", "after"),
        Place(REGISTRY, "Registry.set_champion", "after"),
    ),
    "pointer": (
        Place(POINTER, "Path", "before"),  # written, not renamed yet
        Place(PROMOTION, "write_atomically", "after"),
        Place(POINTER, "write_atomically", "before"),
        Place(POINTER, "sync", "before"),
        Place(POINTER, "Pointer.write", "after"),
    ),
    "reload": (
        Place(RETRAINING, "promote", "after"),
        Place(WORKER, "_as_json", "after"),
        Place(WORKER, "end", "before"),
    ),
}
GATED = ("epoch", "bundle", "alias", "pointer", "reload")
"""Where most is at stake; the long part of the gate kills everywhere."""


class Watched:
    """A service whose every answer is held against the first one of the same version."""

    def __init__(self, settings, clients_csv, answers):
        self.service, self._clients, self._answers = Service(settings), clients_csv, answers
        self.home = Home(settings.home)

    def ask(self):
        told = self.service.predict(io.BytesIO(self._clients))
        first = self._answers.setdefault(told.model_version, told.amounts)
        np.testing.assert_array_equal(told.amounts, first)
        return told.model_version

    def follow(self, job_id):
        """Predict until a training has ended; gives its state."""
        while self.service.job(job_id).active:
            self.ask()
        return self.service.job(job_id)

    def serves_the_champion(self):
        """Whether alias, pointer, health and answers name one version."""
        champion = Registry(tracking_uri(self.home, None), "loanapp").champion()
        return (
            Pointer(self.home.pointer).read() == ModelUri("loanapp", champion)
            and self.service.health().status == "ok"
            and self.service.health().model_version == self.ask() == champion
        )


@pytest.mark.parametrize(
    "phase", [p if p in GATED else pytest.param(p, marks=pytest.mark.soak) for p in PHASES]
)
def test_the_champion_serves_on_and_the_next_start_finds_order(
    phase, home, make_settings, training, clients_csv
):
    answers = {}
    for place in PHASES[phase]:
        watched = Watched(make_settings(home), clients_csv, answers)
        before = watched.ask()
        job_id = training(watched.service, place)
        ended = watched.follow(job_id)
        assert ended.state == "interrupted", (place, ended)
        assert "killed" in str(ended.reason)
        assert Pointer(Home(home).pointer).read() is not None
        wait_until(watched.serves_the_champion, 30)
        moved = phase in ("pointer", "reload") or place == PHASES["alias"][-1]
        assert (watched.ask() != before) is moved, place
        watched.service.close()

        restarted = Watched(make_settings(home), clients_csv, answers)
        wait_until(lambda: leftovers(home) == [], 30)
        wait_until(lambda s=restarted.service, j=job_id: s.job(j).finished_at, 30)
        assert restarted.serves_the_champion()
        assert restarted.service.history()[0].version == restarted.ask()
        wait_until(lambda: unfinished_runs(home) == [], 240)
        assert find(fold(home / "jobs" / job_id)) is None
        restarted.service.close()

    last = Watched(make_settings(home), clients_csv, answers)
    ended = last.follow(training(last.service))
    assert ended.state == "finished", ended.reason
    assert last.ask() == ended.result.model_version
    assert leftovers(home) == []
    last.service.close()


@pytest.mark.soak
def test_control_with_a_plain_write_the_same_kill_leaves_a_torn_pointer(
    home, make_settings, training, clients_csv
):
    """Break the write as the product must not: the checks above then fail."""
    watched = Watched(make_settings(home, alias_check_s=3600), clients_csv, {})
    ended = watched.follow(training(watched.service, PLAIN_WRITE))
    assert ended.state == "interrupted"
    assert Pointer(Home(home).pointer).read() is None
    assert watched.service.health().status == "degraded"
    assert watched.ask() == "1"
    watched.service.close()
