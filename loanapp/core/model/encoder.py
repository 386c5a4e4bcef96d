"""The fitted preprocessing as arrays: from a validated table to the network's features.

A number fills its gaps and may have a column that marks them; a category looks its row up in a
table of codes, which has one row a known category, one for any other and one for a missing value.
NumPy and Arrow only: the serving process uses this module. It is taken from a fitted
ColumnTransformer by asking it, not by reading its insides: whatever steps it has, a category's
codes are what it answers for that category.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from loanapp.core.data.arrays import from_texts, to_codes, to_numbers
from loanapp.core.data.schema import Field

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer

Floats = npt.NDArray[np.float64]
UNKNOWN, MISSING = -2, -1


@dataclass(frozen=True)
class NumericCode:
    """A number's features: ``value * slope + offset`` in each; a missing one has its own.

    Parameters
    ----------
    slope, offset, missing
        One entry a feature.
    """

    slope: Floats
    offset: Floats
    missing: Floats

    def encode(self, column: pa.ChunkedArray) -> Floats:
        """Give the features of a column's values, shape (n_features, n_rows)."""
        values = to_numbers(column)
        features = values * self.slope[:, None] + self.offset[:, None]
        gaps = np.isnan(values)
        if gaps.any():
            np.copyto(features, self.missing[:, None], where=gaps)
        return features


@dataclass(frozen=True)
class CategoryCode:
    """A category's features: a row of a table.

    Parameters
    ----------
    categories
        The known categories.
    table
        Shape (n_categories + 2, n_features): then any other category, then a missing value.
    """

    categories: tuple[str, ...]
    table: Floats

    @cached_property
    def _known(self) -> pa.Array:
        return from_texts(self.categories)

    @cached_property
    def _in_order(self) -> npt.NDArray[np.intp]:
        return np.array([*range(len(self.categories)), MISSING], np.intp)

    def encode(self, column: pa.ChunkedArray) -> Floats:
        """Give the features of a column's values, shape (n_features, n_rows)."""
        array = column.combine_chunks()
        encoded = array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array)
        rows = self._rows_of(encoded.dictionary)[to_codes(encoded)]
        return np.take(self.table.T, rows, axis=1, mode="wrap")

    def _rows_of(self, dictionary: pa.Array) -> npt.NDArray[np.intp]:
        """The table's row for each text of a dictionary, and for a missing value at the end."""
        if dictionary.equals(self._known):  # the contract's own, most of the time
            return self._in_order
        places = {category: row for row, category in enumerate(self.categories)}
        found = [places.get(text, UNKNOWN) for text in dictionary.to_pylist()]
        return np.array([*found, MISSING], np.intp)


@dataclass(frozen=True)
class Encoder:
    """From a validated table to features.

    Parameters
    ----------
    base
        Shape (n_features,): the features that no column changes.
    codes
        By column: the places of its features, and how they are made.
    """

    base: Floats
    codes: Mapping[str, tuple[npt.NDArray[np.intp], NumericCode | CategoryCode]]

    def encode(self, data: pa.Table) -> Floats:
        """Give the features of a table's rows, shape (n_rows, n_features).

        The values of each feature stand together in memory.
        """
        features = np.repeat(self.base[:, None], data.num_rows, axis=1)
        for name, (places, code) in self.codes.items():
            features[places] = code.encode(data[name])
        return features.T

    @classmethod
    def of(cls, fitted: ColumnTransformer, fields: Sequence[Field]) -> Encoder:
        """Ask a fitted ColumnTransformer what it makes of each column's values."""
        probe = _Probe(fitted, fields)
        codes: dict[str, tuple[npt.NDArray[np.intp], NumericCode | CategoryCode]] = {}
        for field in fields:
            if field.is_numeric:
                answers = probe.ask(field.name, [np.nan, 0.0, 1.0])
                places = probe.places(answers)
                missing, zero, one = answers[:, places]
                codes[field.name] = places, NumericCode(one - zero, zero, missing)
            else:
                known = field.enum or _learned(fitted, field.name)
                answers = probe.ask(field.name, [*known, _unused(known), None])
                places = probe.places(answers)
                codes[field.name] = places, CategoryCode(known, answers[:, places])
        return cls(probe.base, codes)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Give it as named arrays without objects."""
        arrays: dict[str, npt.NDArray[Any]] = {"base": self.base, "names": np.array([*self.codes])}
        for number, (places, code) in enumerate(self.codes.values()):
            arrays[f"{number}.places"] = places
            if isinstance(code, NumericCode):
                parts = (code.slope, code.offset, code.missing)
                arrays[f"{number}.number"] = np.stack(parts)
            else:
                arrays[f"{number}.categories"] = np.array(code.categories, np.str_)
                arrays[f"{number}.table"] = code.table
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Encoder:
        """Read what `arrays` gave; raises KeyError or ValueError where it did not."""
        codes: dict[str, tuple[npt.NDArray[np.intp], NumericCode | CategoryCode]] = {}
        for number, name in enumerate(arrays["names"].tolist()):
            code: NumericCode | CategoryCode
            if f"{number}.number" in arrays:
                code = NumericCode(*arrays[f"{number}.number"])
            else:
                categories = tuple(arrays[f"{number}.categories"].tolist())
                code = CategoryCode(categories, arrays[f"{number}.table"])
            codes[name] = arrays[f"{number}.places"], code
        return cls(arrays["base"], codes)


class _Probe:
    """Asks a fitted ColumnTransformer for the features of rows that are empty but for a column."""

    def __init__(self, fitted: ColumnTransformer, fields: Sequence[Field]) -> None:
        self._fitted, self._fields = fitted, fields
        self.base: Floats = self._transform(1, {})[0]

    def ask(self, name: str, values: Sequence[object]) -> Floats:
        """Give the features for each value of one column."""
        return self._transform(len(values), {name: values})

    def places(self, answers: Floats) -> npt.NDArray[np.intp]:
        """Tell which features a column's values change."""
        return np.flatnonzero((answers != self.base).any(axis=0))

    def _transform(self, rows: int, given: Mapping[str, Sequence[object]]) -> Floats:
        import pandas as pd

        columns: dict[str, pd.Series[Any]] = {}
        for field in self._fields:
            values: Any = given.get(field.name, [None] * rows)
            columns[field.name] = pd.Series(values, dtype="float64" if field.is_numeric else "str")
        frame = pd.DataFrame(columns)
        return np.asarray(self._fitted.transform(frame), np.float64)


def _learned(fitted: ColumnTransformer, name: str) -> tuple[str, ...]:
    """The categories that were learned for a column of open text."""
    for _, transformer, columns in fitted.transformers_:
        if name in columns:
            encoder = transformer[-1] if hasattr(transformer, "steps") else transformer
            found = encoder.categories_[list(columns).index(name)]
            return tuple(c for c in found.tolist() if isinstance(c, str))
    raise KeyError(name)


def _unused(known: Sequence[str]) -> str:
    """A text that is no known category."""
    return max(known, key=len, default="") + "?"
