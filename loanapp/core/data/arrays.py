"""Arrow columns to NumPy and back, without pandas.

``pyarrow.array``, ``Array.to_numpy`` and ``pyarrow.scalar`` import pandas where it is installed
(1.5 s and 60 MiB); a process that only scores has no use for it. Buffers are shared, not copied,
where the layout allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_NUMPY_TYPES: dict[pa.DataType, type[np.generic]] = {
    pa.float64(): np.float64,
    pa.int64(): np.int64,
    pa.int32(): np.int32,
    pa.int16(): np.int16,
    pa.int8(): np.int8,
}


def from_floats(values: Floats) -> pa.Array:
    """A float64 column; NaN becomes null."""
    missing = np.isnan(values)
    return pa.Array.from_buffers(
        pa.float64(),
        len(values),
        [
            _validity(~missing) if missing.any() else None,
            pa.py_buffer(np.ascontiguousarray(values)),
        ],
    )


def without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A float column in which NaN is null."""
    return pa.chunked_array([from_floats(to_numbers(column.cast(pa.float64())))])


def from_integers(values: npt.NDArray[np.int64], missing: Mask | None = None) -> pa.Array:
    """An int64 column; null where it is missing."""
    validity = _validity(~missing) if missing is not None and missing.any() else None
    return pa.Array.from_buffers(
        pa.int64(), len(values), [validity, pa.py_buffer(np.ascontiguousarray(values, np.int64))]
    )


def from_codes(codes: npt.NDArray[np.int32], categories: tuple[str, ...]) -> pa.DictionaryArray:
    """A dictionary column over exactly these categories; a code of -1 becomes null."""
    missing, validity = codes < 0, None
    if missing.any():
        codes, validity = np.where(missing, np.int32(0), codes), _validity(~missing)
    data = pa.py_buffer(np.ascontiguousarray(codes))
    indices = pa.Array.from_buffers(pa.int32(), len(codes), [validity, data])
    return pa.DictionaryArray.from_arrays(indices, _dictionary(categories))


def from_texts(texts: Sequence[str | None]) -> pa.Array:
    """A text column; None becomes null."""
    builder = pa.lib.StringBuilder()
    builder.append_values(texts)
    return builder.finish()


def from_filled(texts: Sequence[str]) -> pa.Array:
    """A text column without nulls, from many texts at once."""
    joined = "".join(texts)
    data = joined.encode()
    ascii_only = len(data) == len(joined)
    sizes = map(len, texts) if ascii_only else (len(text.encode()) for text in texts)
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(np.fromiter(sizes, np.int32, len(texts)), out=offsets[1:])
    return pa.Array.from_buffers(
        pa.string(), len(texts), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def from_mask(mask: Mask) -> pa.Array:
    """A boolean column without nulls."""
    return pa.Array.from_buffers(pa.bool_(), len(mask), [None, _validity(mask)])


def to_numbers(column: pa.Array | pa.ChunkedArray) -> Floats:
    """The values of a float64, int64 or int32 column as float64; null becomes NaN."""
    parts = [
        np.where(valid, values, np.nan) if valid is not None else values.astype(np.float64)
        for values, valid in map(_values, _chunks(column))
    ]
    return parts[0] if len(parts) == 1 else np.concatenate([*parts, np.empty(0)])


def to_codes(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int32]:
    """The codes of a dictionary column whose chunks share one dictionary; null becomes -1."""
    parts = [
        (np.where(valid, values, -1) if valid is not None else values).astype(np.int32)
        for values, valid in (_values(chunk.indices) for chunk in _chunks(column))
    ]
    return parts[0] if len(parts) == 1 else np.concatenate([*parts, np.empty(0, np.int32)])


def to_mask(column: pa.Array) -> Mask:
    """The values of a boolean column without nulls."""
    size, start = len(column), column.offset
    if not size:
        return np.empty(0, np.bool_)
    bitmap = np.frombuffer(column.buffers()[1], np.uint8)
    return np.unpackbits(bitmap, count=start + size, bitorder="little")[start:].astype(np.bool_)


def _chunks(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _values(array: pa.Array) -> tuple[npt.NDArray[np.generic], Mask | None]:
    """Values of a primitive array as they lie in memory, and which of them are valid."""
    size, start = len(array), array.offset
    if not size:
        return np.empty(0, _NUMPY_TYPES[array.type]), None
    bitmap, data = array.buffers()
    values = np.frombuffer(data, _NUMPY_TYPES[array.type], start + size)[start:]
    if bitmap is None or not array.null_count:
        return values, None
    bits = np.unpackbits(np.frombuffer(bitmap, np.uint8), count=start + size, bitorder="little")
    return values, bits[start:].astype(np.bool_)


def _validity(mask: Mask) -> pa.Buffer:
    return pa.py_buffer(np.packbits(mask, bitorder="little"))


@lru_cache(maxsize=64)
def _dictionary(categories: tuple[str, ...]) -> pa.Array:
    return from_texts(categories)
