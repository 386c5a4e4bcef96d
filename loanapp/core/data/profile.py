"""How the columns of a table are distributed: for pictures, and to see who is out of range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from loanapp.core.data.arrays import from_texts, to_mask, to_numbers

BINS = 24
CATEGORIES = 30


@dataclass(frozen=True)
class ColumnProfile:
    """How one column is distributed; no row can be told from it.

    Parameters
    ----------
    name
        The column.
    missing
        Empty cells.
    counts
        Cells in each bin or category.
    edges
        Of a number: the bins' edges, one more than counts.
    categories
        Of a category: the categories, as many as counts.
    minimum, maximum
        Of a number: the smallest and the largest value.
    """

    name: str
    missing: int
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


def profile(data: pa.Table, reference: Sequence[ColumnProfile] = ()) -> tuple[ColumnProfile, ...]:
    """Count every column's values.

    Parameters
    ----------
    data
        A validated table.
    reference
        An earlier profile whose bins are used again, so that both can be drawn together;
        values beyond them count in the outermost bins.
    """
    bins = {column.name: column.edges for column in reference}
    return tuple(
        _numeric(name, data[name], bins.get(name, ()))
        if pa.types.is_floating(data.schema.field(name).type)
        else _categorical(name, data[name])
        for name in data.column_names
    )


def out_of_range(
    data: pa.Table, reference: Sequence[ColumnProfile]
) -> Mapping[str, npt.NDArray[np.bool_]]:
    """Tell which cells lie outside what a profile has seen.

    Returns
    -------
    mapping from column to ndarray of bool, shape (n_rows,)
        True where the value lies outside the range, or the category was never seen. A missing
        value lies nowhere: False.
    """
    known = {column.name: column for column in reference}
    return {name: _outside(data[name], known[name]) for name in data.column_names if name in known}


def _outside(column: pa.ChunkedArray, seen: ColumnProfile) -> npt.NDArray[np.bool_]:
    if seen.categories or seen.minimum is None or seen.maximum is None:
        present = [c for c, count in zip(seen.categories, seen.counts, strict=True) if count]
        text = column.cast(pa.string())
        strange = pc.invert(pc.is_in(text, from_texts(present)))
        mask = pc.and_(strange, pc.is_valid(text))
    else:
        mask = pc.or_(pc.less(column, seen.minimum), pc.greater(column, seen.maximum))
    return to_mask(pc.fill_null(mask, False).combine_chunks())


def _numeric(name: str, column: pa.ChunkedArray, edges: tuple[float, ...]) -> ColumnProfile:
    values = to_numbers(column.drop_null())
    if not len(values):
        return ColumnProfile(name, len(column), (0,) * (len(edges) - 1 if edges else 0), edges)
    if not edges:
        edges = tuple(_bin_edges(values).tolist())
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return ColumnProfile(
        name,
        column.null_count,
        tuple(counts.tolist()),
        edges=edges,
        minimum=float(values.min()),
        maximum=float(values.max()),
    )


def _bin_edges(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Edges of at most `BINS` bins; those of whole numbers hold equally many numbers each."""
    low, high = values.min(), values.max()
    if not np.array_equal(values, np.rint(values)):
        return np.histogram_bin_edges(values, BINS)
    numbers = high - low + 1
    width = np.ceil(numbers / BINS)
    return np.asarray(low - 0.5 + width * np.arange(np.ceil(numbers / width) + 1))


def _categorical(name: str, column: pa.ChunkedArray) -> ColumnProfile:
    """Count categories; an open text keeps its most frequent ones."""
    array = column.combine_chunks()
    order = array.dictionary.to_pylist() if pa.types.is_dictionary(array.type) else None
    counted = {
        pair["values"]: pair["counts"]
        for pair in pc.value_counts(array.cast(pa.string())).to_pylist()
        if pair["values"] is not None
    }
    categories = order or sorted(counted, key=lambda c: (-counted[c], c))[:CATEGORIES]
    return ColumnProfile(
        name,
        column.null_count,
        tuple(counted.get(c, 0) for c in categories),
        categories=tuple(categories),
    )
