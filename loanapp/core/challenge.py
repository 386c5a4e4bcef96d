"""A challenger against the champion, on clients on whom neither was trained."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loanapp.core.data.schema import Schema
from loanapp.core.model.bundle import Bundle
from loanapp.core.model.metrics import Comparison, compare
from loanapp.core.model.scorer import Scorer
from loanapp.core.model.training import Split, unseen


def compare_with(
    champion: Bundle, its: Split, challenger: Scorer, split: Split, schema: Schema
) -> tuple[Comparison | None, Comparison | None]:
    """Compare two models on the held-out rows of both their files.

    Parameters
    ----------
    its
        The rows that the champion was trained and tested on.
    split
        Those of the challenger.

    Returns
    -------
    tuple
        On the challenger's file, and on the champion's: a file full of errors flatters the model
        that learned them. None where no row is left that neither was trained on.

    Raises
    ------
    KeyError
        A column that a model needs is missing in the other's file.
    """
    new = unseen(split.holdout, its.train, schema)
    earlier = unseen(its.holdout, split.train, schema)
    return _compare_on(new, champion, challenger, schema), _compare_on(
        earlier, champion, challenger, schema
    )


def split_again(rows: pa.Table, bundle: Bundle) -> Split:
    """Divide a version's own rows as they were divided for it: the held-out ones come last."""
    trained = rows.num_rows - bundle.evaluation.holdout_rows
    return Split(rows.slice(0, trained), rows.slice(trained))


def protected_groups(rows: pa.Table, schema: Schema) -> dict[str, npt.ArrayLike]:
    """Group rows by each protected column; a number's groups are its thirds."""
    groups: dict[str, npt.ArrayLike] = {}
    for field in schema.protected:
        if field.name not in rows.column_names:
            continue
        column = rows[field.name]
        groups[field.name] = (
            thirds(column.to_numpy())
            if field.is_numeric
            else column.cast(pa.string()).to_numpy(zero_copy_only=False)
        )
    return groups


def thirds(values: npt.NDArray[np.float64]) -> npt.NDArray[np.object_]:
    """Name the third that each value is in; None where it is missing."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.full(len(values), None, object)
    low, high = np.quantile(known, [1 / 3, 2 / 3])
    names = [f"1/3: ≤ {low:.4g}", f"2/3: {low:.4g} – {high:.4g}", f"3/3: > {high:.4g}", None]
    place = np.where(np.isnan(values), 3, (values > low).astype(int) + (values > high))
    return np.array(names, object)[place]


def _compare_on(
    rows: pa.Table, champion: Bundle, challenger: Scorer, schema: Schema
) -> Comparison | None:
    if not rows.num_rows:
        return None
    return compare(
        rows[schema.target.name].to_numpy(),
        champion.score(rows).median(),
        challenger.score(rows).median(),
        groups=protected_groups(rows, schema),
    )
