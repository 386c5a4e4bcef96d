"""The same client is on the same side of the split in every file and every training."""

import numpy as np
import pyarrow as pa
import pytest

from loanapp.core.data.fingerprint import content_hash, holdout_mask, row_hashes

EXPECTED = ["ce3062939154fd2b", "5108219e0f40ec5c", "88b1b259374b95ff"]


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return pa.table(
        {
            "number": rng.normal(size=1000),
            "category": pa.array(rng.choice(["a", "b"], 1000)).dictionary_encode(),
        }
    )


def test_the_side_of_a_row_depends_on_the_row_alone(table):
    hashes = row_hashes(table, ["number", "category"])
    order = np.random.default_rng(1).permutation(1000)
    shuffled = row_hashes(table.take(order), ["category", "number"])
    assert (shuffled == hashes[order]).all()
    assert (holdout_mask(hashes, 0.2)[order] == holdout_mask(shuffled, 0.2)).all()


def test_the_dictionary_s_order_does_not_matter(table):
    plain = table.set_column(1, "category", table["category"].cast(pa.string()))
    names = table.column_names
    assert (row_hashes(plain, names) == row_hashes(table, names)).all()
    assert content_hash(plain) == content_hash(table)


def test_the_hashes_never_change_between_releases():
    fixed = pa.table({"x": [1.5, None, 0.0, -0.0], "c": ["a", None, "é", "é"]})
    hashes = row_hashes(fixed, ["x", "c"])
    assert hashes[2] == hashes[3]
    assert [f"{h:016x}" for h in hashes[:3]] == EXPECTED


def test_the_digits_that_a_workbook_drops_do_not_make_another_client(table):
    """Of the 17 digits of a double, openpyxl writes 16 and Excel 15."""
    numbers = 12439.293590268686 * np.linspace(0.001, 3, 1000)
    written = [table.set_column(0, "number", pa.array([float(f"{n:{d}}") for n in numbers]))
               for d in (".17g", ".16g", ".15g")]  # fmt: skip
    assert len({content_hash(one) for one in written}) == 1
    other = table.set_column(0, "number", pa.array(numbers * (1 + 1e-9)))
    assert content_hash(other) not in {content_hash(one) for one in written}


def test_about_the_share_asked_for_is_held_out(table):
    hashes = row_hashes(table, table.column_names)
    assert 0.16 < holdout_mask(hashes, 0.2).mean() < 0.24


@pytest.mark.parametrize("rows", [2, 5, 30])
def test_the_smallest_file_still_has_a_row_held_out_and_one_to_train_on(table, rows):
    mask = holdout_mask(row_hashes(table.slice(0, rows), table.column_names), 0.01)
    assert 0 < mask.sum() < rows


def test_the_content_hash_sees_every_cell(table):
    changed = table.set_column(0, "number", pa.array([9.0, *table["number"].to_pylist()[1:]]))
    assert content_hash(changed) != content_hash(table)
    assert content_hash(table.slice(0, 999)) != content_hash(table)
