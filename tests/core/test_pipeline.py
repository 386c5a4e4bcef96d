"""Blocks are worked on beside each other and come out in their order, a few at a time."""

import os
import time

import pytest

from loanapp.core.pipeline import in_order


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_results_come_in_the_order_of_the_items(count):
    def slowest_first(item):
        time.sleep(0.002 * (item % 3 == 0))
        return item * item

    assert list(in_order(slowest_first, range(count))) == [i * i for i in range(count)]


def test_few_items_are_taken_before_their_results_are_wanted():
    taken = []
    results = in_order(str, (taken.append(i) or i for i in range(1_000)))
    assert next(results) == "0"
    assert len(taken) <= 2 * (os.cpu_count() or 1) + 2
    results.close()


def test_what_goes_wrong_with_an_item_is_raised_in_its_turn():
    results = in_order(lambda item: 1 // item, [1, 1, 0, 1])
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
