"""Trainings that are forked, and that something befalls."""

import io

import pytest

from loanapp.core import jobs
from loanapp.core.answers import TrainingOptions
from tests.faults.warm import spawner


@pytest.fixture
def training(monkeypatch, training_csv):
    """Start a training to which something happens at a place; gives the job's identifier."""
    seeds = iter(range(100, 200))

    def start(service, place=None, **choices):
        monkeypatch.setattr(jobs, "spawn", spawner(place))
        options = TrainingOptions(**{"seed": next(seeds), **choices})
        return service.start_training(io.BytesIO(training_csv), options).id

    return start
