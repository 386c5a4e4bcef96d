"""A profile shows how a file is distributed, and who lies outside of what was seen."""

import pyarrow as pa

from loanapp.core.data.profile import out_of_range, profile

SEEN = pa.table({"age": [20.0, 30.0, None, 60.0], "town": ["Nice", "Lyon", "Lyon", None]})


def test_counts_and_missing_cells_add_up_to_the_rows():
    for column in profile(SEEN):
        assert sum(column.counts) + column.missing == SEEN.num_rows


def test_a_second_file_is_counted_in_the_first_one_s_bins():
    first = profile(SEEN)
    second = profile(pa.table({"age": [10.0, 90.0, 30.0]}), first)
    assert second[0].edges == first[0].edges
    assert second[0].counts[0] >= 1
    assert second[0].counts[-1] == 1
    assert (second[0].minimum, second[0].maximum) == (10.0, 90.0)


def test_the_bins_of_whole_numbers_hold_equally_many_numbers_each():
    evenly = profile(pa.table({"age": [float(year) for year in range(18, 76)]}))[0]
    assert evenly.counts[:-1] == (3,) * (len(evenly.counts) - 1)
    assert len(profile(pa.table({"paid": [0.0, 1e6, 3e6]}))[0].counts) <= 24
    assert profile(pa.table({"same": [7.0, 7.0]}))[0].counts == (2,)


def test_a_column_without_a_value_is_counted_as_missing():
    empty = profile(pa.table({"age": pa.array([None, None], pa.float64())}), profile(SEEN))
    assert empty[0].missing == 2
    assert sum(empty[0].counts) == 0


def test_values_outside_the_range_and_unseen_categories_are_marked():
    new = pa.table({"age": [19.0, 20.0, None], "town": ["Nice", "Brest", None]})
    marked = out_of_range(new, profile(SEEN))
    assert marked["age"].tolist() == [True, False, False]
    assert marked["town"].tolist() == [False, True, False]
