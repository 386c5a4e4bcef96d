"""Numbers that stand for rows: which side of the split a client is on, and what data a model saw.

They depend on the contents alone: not on the order of the rows or the file, not on the dialect,
not on the version of any library. Changing them would change every split: they are fixed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Hashes = npt.NDArray[np.uint64]

_MISSING = np.uint64(0x9E3779B97F4A7C15)


def row_hashes(data: pa.Table, names: Sequence[str]) -> Hashes:
    """Hash each row over some columns.

    Parameters
    ----------
    data
        A validated table.
    names
        The columns; their order does not matter.

    Returns
    -------
    ndarray of uint64, shape (n_rows,)
    """
    combined = np.zeros(data.num_rows, np.uint64)
    for name in sorted(names):
        seed = _text_hash(name)
        combined += _mix(_column_hashes(data[name]) ^ seed)
    return _mix(combined)


def holdout_mask(hashes: Hashes, share: float) -> npt.NDArray[np.bool_]:
    """Tell which rows are held out: the same client always is, in every training.

    Parameters
    ----------
    hashes
        Of the rows' features.
    share
        Share of the rows to hold out, 0 to 1. A file too small for the share to be met still
        has one row in ten, and at least one, held out.
    """
    place = hashes.astype(np.float64) / 2.0**64
    least = max(1, len(place) // 10)
    threshold = max(share, float(np.nextafter(np.sort(place)[least - 1], 1.0)))
    return place < threshold


def content_hash(data: pa.Table) -> str:
    """SHA-256 of a table's contents, in its order, as hexadecimal digits."""
    digest = hashlib.sha256()
    for name in sorted(data.column_names):
        digest.update(name.encode() + b"\0")
        digest.update(_column_hashes(data[name]).astype("<u8").tobytes())
    return digest.hexdigest()


def _column_hashes(column: pa.ChunkedArray) -> Hashes:
    array = column.combine_chunks()
    if pa.types.is_floating(array.type) or pa.types.is_integer(array.type):
        values = pc.fill_null(array.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False)
        bits = (_settled(values) + 0.0).view(np.uint64)
        return np.where(np.isnan(values), _MISSING, _mix(bits))
    encoded = array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array)
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    table = [_text_hash(str(text)) for text in encoded.dictionary.to_pylist()]
    hashes: Hashes = np.array([*table, _MISSING], np.uint64)[codes]
    return hashes


def _settled(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Fractions to 11 significant digits: who writes a workbook keeps 15 or 16 of 17."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        size = np.nan_to_num(np.floor(np.log10(np.abs(values))), nan=0, posinf=0, neginf=0)
        power = _POWERS[np.clip(10 - size, -300, 300).astype(np.int64) + 300]
        rounded = np.rint(values * power) / power
    return np.where(np.isfinite(rounded) & (values != np.rint(values)), rounded, values)


_POWERS = np.array([float(f"1e{exponent}") for exponent in range(-300, 301)])


def _text_hash(text: str) -> np.uint64:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def _mix(values: Hashes) -> Hashes:
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014): every bit depends on every bit."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
