"""A file of 100,000 clients is predicted, shown and taken home without a wait."""

from __future__ import annotations

import time

from loanapp.core.data.samples import sample_csv

LIMIT_S = 10


def test_100_000_rows_are_shown_and_downloaded_within_ten_seconds(shared, visit, schema):
    many = sample_csv(schema, 100_000, seed=3, target=False)
    analyst = visit(shared.url).goto("predict").upload("predict_file", "many.csv", many)
    analyst.has("predict").settle()
    began = time.perf_counter()
    analyst.click("predict").has("download_csv").settle()
    _name, content = analyst.download("download_csv")
    assert time.perf_counter() - began < LIMIT_S
    assert content.count(b"\n") == 100_001
    began = time.perf_counter()
    analyst.menu("simulate").has("pair")
    assert time.perf_counter() - began < LIMIT_S / 2
