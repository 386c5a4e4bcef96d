"""From a validated table to a trained and evaluated model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.pipeline import Pipeline

from loanapp.core.data.fingerprint import content_hash, holdout_mask, row_hashes
from loanapp.core.data.profile import ColumnProfile, profile
from loanapp.core.data.schema import Schema
from loanapp.core.errors import TrainingFailed, message
from loanapp.core.model.evaluation import Evaluation, evaluate_model
from loanapp.core.model.features import make_features
from loanapp.core.model.regressor import Epoch, TobitRegressor

if TYPE_CHECKING:
    import pandas as pd

    from loanapp.core.settings import FeaturePolicy

LEAST_ROWS = 20
Progress = Callable[[str, Epoch | None], None]


@dataclass(frozen=True)
class Split:
    """The rows of a file, divided by a hash of each row's features.

    Parameters
    ----------
    train, holdout
        Validated tables with the target.
    """

    train: pa.Table
    holdout: pa.Table


@dataclass(frozen=True)
class TrainedModel:
    """A fitted pipeline with all that is known of it.

    Parameters
    ----------
    pipeline
        ``features`` (ColumnTransformer) and ``regressor`` (TobitRegressor): from a frame of
        the features to amounts in the target's unit.
    schema, policy
        The contract, and which of its columns feed the model.
    split
        What it was fitted and evaluated on.
    evaluation
        On the held-out rows.
    profile
        How the training file's columns are distributed.
    data_hash
        SHA-256 of the training file's rows.
    parameters
        The choices, for the run's page.
    """

    pipeline: Pipeline
    schema: Schema
    policy: FeaturePolicy
    split: Split
    evaluation: Evaluation
    profile: tuple[ColumnProfile, ...]
    data_hash: str
    parameters: Mapping[str, Any]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns that feed the model."""
        return tuple(f.name for f in self.schema.features(self.policy))

    @property
    def rows(self) -> int:
        """Rows trained and tested on."""
        return int(self.split.train.num_rows + self.split.holdout.num_rows)

    def predict(self, data: pa.Table) -> npt.NDArray[np.float64]:
        """Give the pipeline's own amounts for a table's rows, in the target's unit."""
        frame = to_frame(data, list(self.feature_names))
        return np.asarray(self.pipeline.predict(frame), np.float64)


def split_rows(data: pa.Table, schema: Schema, share: float) -> Split:
    """Divide rows by a hash of their features.

    Parameters
    ----------
    data
        A validated table with the target.
    share
        Share of the rows to hold out, 0 to 1.
    """
    names = [f.name for f in schema.features() if f.name in data.column_names]
    held_out = pa.array(holdout_mask(row_hashes(data, names), share))
    return Split(data.filter(pa.compute.invert(held_out)), data.filter(held_out))


def unseen(rows: pa.Table, trained_on: pa.Table, schema: Schema) -> pa.Table:
    """Leave out the clients that a model was trained on, as far as the columns of both tell."""
    columns = {*rows.column_names} & {*trained_on.column_names}
    names = [f.name for f in schema.features() if f.name in columns]
    seen = np.isin(row_hashes(rows, names), row_hashes(trained_on, names))
    return rows.filter(pa.array(~seen))


def train(
    data: pa.Table,
    schema: Schema,
    *,
    policy: FeaturePolicy = "all",
    seed: int = 0,
    holdout_share: float = 0.2,
    progress: Progress | None = None,
) -> TrainedModel:
    """Split, fit and evaluate.

    Parameters
    ----------
    data
        A validated table with the target.
    policy
        Which columns feed the model.
    seed
        The same rows and seed give the same model on the same machine.
    progress
        Called with the phase (``fit``, ``evaluate``) and, while fitting, each epoch. What it
        raises ends the training.

    Raises
    ------
    TrainingFailed
        There are too few rows, or the amounts do not differ.
    """
    _check(data, schema)
    report = progress or _silent
    split = split_rows(data, schema, holdout_share)
    names = [f.name for f in schema.features(policy)]
    report("fit", None)
    pipeline = Pipeline(
        [
            ("features", make_features(schema, policy)),
            ("regressor", TobitRegressor(cut=schema.cut, random_state=seed)),
        ]
    )
    amounts = _amounts(split.train, schema)
    pipeline.fit(
        to_frame(split.train, names),
        amounts,
        regressor__progress=lambda epoch: report("fit", epoch),
    )
    report("evaluate", None)
    regressor = pipeline["regressor"]
    encoded = pipeline["features"].transform(to_frame(split.holdout, names))
    evaluation = evaluate_model(
        regressor.predict_distribution(encoded),
        _amounts(split.holdout, schema),
        float(amounts.mean()),
        regressor.history_["loss"],
        regressor.history_["val_loss"],
    )
    parameters = {
        "features": policy,
        "seed": seed,
        "holdout_share": holdout_share,
        "train_rows": split.train.num_rows,
        "holdout_rows": split.holdout.num_rows,
        **{f"regressor.{k}": v for k, v in regressor.get_params().items()},
    }
    return TrainedModel(
        pipeline, schema, policy, split, evaluation, profile(data), content_hash(data), parameters
    )


def to_frame(data: pa.Table, names: list[str]) -> pd.DataFrame:
    """Give columns of a validated table as the frame that pipelines take."""
    import pandas as pd

    columns = {}
    for name in names:
        column = data[name]
        if pa.types.is_floating(column.type):
            columns[name] = column.to_numpy()
        else:
            columns[name] = column.cast(pa.string()).to_pandas()
    return pd.DataFrame(columns)


def _silent(_phase: str, _epoch: Epoch | None) -> None:
    """Tell nobody."""


def _amounts(data: pa.Table, schema: Schema) -> npt.NDArray[np.float64]:
    return np.asarray(data[schema.target.name].to_numpy(), np.float64)


def _check(data: pa.Table, schema: Schema) -> None:
    if data.num_rows < LEAST_ROWS:
        raise TrainingFailed(
            message(
                "A training needs at least {least} rows; the file has {rows}.",
                least=LEAST_ROWS,
                rows=data.num_rows,
            )
        )
    if len(np.unique(_amounts(data, schema))) < 2:
        raise TrainingFailed(
            message(
                "All the amounts in column {column} are the same: there is nothing to learn.",
                column=schema.target.name,
            )
        )
