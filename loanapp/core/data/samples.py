"""Synthetic clients drawn from a contract: for tests, for a first try, for `loanapp sample`.

The amount depends on the features (a linear part, one bend, one interaction) with noise, and is
cut off at the contract's bounds, as a lender's file is. Nobody in it exists.
"""

from __future__ import annotations

import csv
import io
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loanapp.core.data.arrays import from_floats, from_integers, from_texts
from loanapp.core.data.schema import Field, Schema

NAMES = ("Zoé", "Inès", "Noé", "Léa", "Chloé", "Hugo", "Maël", "Anaïs", "Jules", "Agnès", "Loïc")
BLOCK_ROWS = 50_000
NOISE_SHARE = 0.14
LATENT_CENTRE, LATENT_SPREAD = 0.48, 0.36


def sample_clients(
    schema: Schema, n: int, seed: int = 0, *, target: bool = True, missing: float = 0.0
) -> pa.Table:
    """Draw clients.

    Parameters
    ----------
    schema
        The contract.
    n
        How many clients.
    seed
        The same seed draws the same clients.
    target
        Whether to add the amount, in the target's unit.
    missing
        Share of the cells of the columns that may be missing that are left empty (0 to 1).

    Returns
    -------
    pyarrow.Table
        One column a field, in the order of the contract; the target last.
    """
    rng = np.random.default_rng(seed)
    columns: dict[str, pa.Array] = {}
    effect = np.zeros(n)
    weight = 0.0
    for field in schema.fields:
        if field is schema.target:
            continue
        values, score = _draw(field, n, rng)
        if field.role != "identifier":
            strength = _strength(field)
            effect += strength * score
            weight += strength**2
        hidden = rng.random(n) < missing if missing and not field.required else None
        columns[field.name] = _column(values, hidden)
    if target:
        columns[schema.target.name] = from_floats(_amounts(schema, effect / np.sqrt(weight), rng))
    return pa.table(columns)


def sample_csv(
    schema: Schema, n: int, seed: int = 0, *, target: bool = True, missing: float = 0.0
) -> bytes:
    """Draw clients as a UTF-8 comma file; the parameters are those of `sample_clients`."""
    clients = sample_clients(schema, n, seed, target=target, missing=missing)
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(clients.column_names)
    for block in clients.to_batches(max_chunksize=BLOCK_ROWS):
        writer.writerows(zip(*(column.to_pylist() for column in block.columns), strict=True))
    return sink.getvalue().encode()


def _draw(
    field: Field, n: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.float64]]:
    """Values of one column, and what they say of the amount (mean 0, spread about 1)."""
    if field.is_numeric:
        low, high = field.usual_range
        share = rng.beta(2.0, 2.5, n)
        values = low + (high - low) * share
        rounded = np.round(values).astype(np.int64) if field.type == "integer" else values.round(1)
        score = (share - 0.44) / 0.21
        return rounded, score + 0.25 * (score**2 - 1) * (_hash(field.name) % 2)
    categories = field.enum or NAMES
    codes = rng.integers(0, len(categories), n)
    scores = np.array([(_hash(f"{field.name}={c}") % 200) / 100 - 1 for c in categories])
    return np.array(categories)[codes], (scores - scores.mean())[codes]


def _column(values: npt.NDArray[Any], hidden: npt.NDArray[np.bool_] | None) -> pa.Array:
    """Make a column, empty where it is hidden."""
    if np.issubdtype(values.dtype, np.integer):
        return from_integers(values, hidden)
    if np.issubdtype(values.dtype, np.floating):
        return from_floats(values if hidden is None else np.where(hidden, np.nan, values))
    gone = hidden if hidden is not None else np.zeros(len(values), np.bool_)
    return from_texts([None if h else str(v) for v, h in zip(values, gone, strict=True)])


def _amounts(
    schema: Schema, effect: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Amounts in the target's unit, cut off at the bounds of the contract."""
    low, high = schema.target.usual_range
    share = LATENT_CENTRE + LATENT_SPREAD * effect + NOISE_SHARE * rng.standard_normal(len(effect))
    amounts = low + (high - low) * share
    floor, ceiling = (low, high) if schema.cut == "auto" else (schema.cut or (None, None))
    minimum, maximum = schema.target.minimum, schema.target.maximum
    bounds = (
        [b for b in (floor, minimum) if b is not None],
        [b for b in (ceiling, maximum) if b is not None],
    )
    return np.clip(amounts, max(bounds[0], default=-np.inf), min(bounds[1], default=np.inf)).round(
        2
    )


def _strength(field: Field) -> float:
    """How much a column weighs in the amount: fixed by its name, between 0.3 and 1."""
    return 0.3 + (_hash(field.name) % 71) / 100


def _hash(text: str) -> int:
    return zlib.crc32(text.encode())
