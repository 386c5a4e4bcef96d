"""From the columns of a contract to numbers: what the network reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, RobustScaler

from loanapp.core.data.schema import Field, Schema

if TYPE_CHECKING:
    from loanapp.core.settings import FeaturePolicy

FEWEST_ROWS = 5
MOST_CATEGORIES = 200


def make_features(schema: Schema, policy: FeaturePolicy = "all") -> ColumnTransformer:
    """Make the unfitted preprocessing of a contract's features.

    Every step is affine in a number and a table of codes for a category, which is all that a
    portable artefact has to store.

    - Numbers: a missing one becomes the median and, where the training rows had gaps, is marked
      in a column of its own; then less the median, over the distance of the quartiles.
    - Categories the contract lists: one column each; any other or none: zeros.
    - Open texts: one column for each category of at least 5 training rows, the 200 most frequent
      at most; all the others, new ones too, share a column. Missing counts as one of them.

    Parameters
    ----------
    schema
        The contract.
    policy
        Which of its columns feed the model.

    Returns
    -------
    ColumnTransformer
        From a DataFrame with the features as columns (numbers float64 with NaN, categories text
        with NaN) to a dense (n, d) float64 array.
    """
    fields = schema.features(policy)
    numbers = [f.name for f in fields if f.is_numeric]
    closed = [f for f in fields if not f.is_numeric and f.enum]
    opened = [f.name for f in fields if not f.is_numeric and not f.enum]
    parts = [
        ("number", _numbers(), numbers),
        ("gap", MissingIndicator(error_on_new=False), numbers),
        ("category", _closed(closed), [f.name for f in closed]),
        ("text", _opened(), opened),
    ]
    return ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0)


def _numbers() -> Pipeline:
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return Pipeline([("impute", fill), ("scale", RobustScaler())])


def _closed(fields: Iterable[Field]) -> OneHotEncoder:
    return OneHotEncoder(
        categories=[list(f.enum) for f in fields], handle_unknown="ignore", sparse_output=False
    )


def _opened() -> OneHotEncoder:
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=FEWEST_ROWS,
        max_categories=MOST_CATEGORIES,
        sparse_output=False,
    )
