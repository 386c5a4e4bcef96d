"""Whether a challenger goes live is decided by the rule that was chosen, and said in a sentence."""

import numpy as np
import pytest

from loanapp.core.model.metrics import compare
from loanapp.core.store.decision import decide


def comparison(spread):
    """Compare a champion whose errors spread by 1,000 with a challenger's."""
    rng = np.random.default_rng(0)
    actual = rng.normal(20_000, 8_000, 500)
    noise = rng.normal(0, 1_000, 500)
    return compare(actual, actual + noise, actual + noise * spread / 1_000)


@pytest.mark.parametrize("promotion", ["always", "better"])
def test_the_first_model_goes_live(promotion):
    live, said = decide(promotion, None, None, None, 2)
    assert live
    assert "first" in str(said)


def test_by_hand_nothing_goes_live_by_itself():
    live, said = decide("manual", None, None, None, 2)
    assert not live
    assert "by hand" in str(said)


def test_always_goes_live_and_says_what_it_costs():
    live, said = decide("always", "3", comparison(2_000), comparison(2_000), 2)
    assert live
    assert "version 3: it is worse" in str(said)


@pytest.mark.parametrize(
    ("new", "earlier", "expected"),
    [(900, 900, True), (1_010, 1_010, True), (1_200, 900, False), (500, 1_500, False)],
)
def test_better_goes_live_only_where_it_cannot_be_worse_by_more_than_the_margin(
    new, earlier, expected
):
    live, said = decide("better", "3", comparison(new), comparison(earlier), 2)
    assert live is expected
    if not live:
        assert ("new clients" if new > 1_000 else "model that serves") in str(said)


def test_models_that_cannot_be_compared_wait():
    live, said = decide("better", "3", None, None, 2)
    assert not live
    assert "cannot be compared with version 3" in str(said)
