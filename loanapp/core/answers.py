"""What the faces are told: plain records, the same from the service and from the REST client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field as Doc

from loanapp.core.data.profile import ColumnProfile
from loanapp.core.data.report import Report
from loanapp.core.data.validated import Rejected
from loanapp.core.errors import Message
from loanapp.core.model.evaluation import Evaluation
from loanapp.core.model.metrics import Comparison, Metrics
from loanapp.core.settings import FeaturePolicy, Promotion
from loanapp.core.store.records import HistoryEntry, ModelVersion

__all__ = [
    "ColumnProfile",
    "Comparison",
    "Evaluation",
    "Health",
    "HistoryEntry",
    "Inspection",
    "Job",
    "Metrics",
    "ModelDetails",
    "ModelVersion",
    "Prediction",
    "Report",
    "TrainingOptions",
    "TrainingResult",
]

JobState = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]
Phase = Literal["start", "read", "fit", "evaluate", "log", "register", "bundle", "promote"]
DataChoice = Literal["new", "all"]

ACTIVE: tuple[JobState, ...] = ("queued", "running")


@dataclass(frozen=True)
class Health:
    """Whether a model serves, and which."""

    status: Annotated[
        Literal["ok", "degraded", "no_model"],
        Doc(description="`degraded`: a newer model could not be loaded, the old one serves."),
    ]
    model_available: bool
    model_version: Annotated[str | None, Doc(examples=["3"])]
    model_uri: Annotated[str | None, Doc(examples=["models:/loanapp/3"])]
    trained_at: datetime | None
    timestamp: datetime
    version: Annotated[str, Doc(description="Version of Loanapp.", examples=["0.1.0"])]
    metrics: Annotated[
        Metrics | None, Doc(description="On held-out rows, when the model was trained.")
    ] = None
    training_rows: int | None = None
    reload_error: Annotated[
        Message | None, Doc(description="Why the newest model is not the one that serves.")
    ] = None


@dataclass(frozen=True)
class TrainingOptions:
    """The choices of one training. None: the server's setting.

    Parameters
    ----------
    promotion
        When the new model goes live.
    features
        Which columns feed the model.
    data
        ``new``: the file alone; ``all``: with the files of earlier versions, without double rows.
    seed
        The same file and seed give the same model.
    force
        Train even where the same file with the same choices was trained before.
    author, reason
        Free text, kept with the version.
    """

    promotion: Promotion | None = None
    features: FeaturePolicy | None = None
    data: DataChoice = "new"
    seed: int | None = None
    force: bool = False
    author: str = ""
    reason: str = ""


@dataclass(frozen=True)
class TrainingResult:
    """What a finished training says."""

    message: Annotated[
        Message,
        Doc(
            description="What was decided and why, in one sentence.",
            examples=["Version 2 is live: its error is 812 € lower than version 1's."],
        ),
    ]
    run_id: Annotated[str, Doc(description="The MLflow run.")]
    model_version: Annotated[str, Doc(examples=["2"])]
    model_uri: Annotated[str, Doc(examples=["models:/loanapp/2"])]
    metrics: Annotated[Metrics, Doc(description="On the held-out rows.")]
    n_rows: Annotated[int, Doc(description="Rows trained and tested on.", examples=[2000])]
    promoted: bool
    comparison: Annotated[
        Comparison | None, Doc(description="Against the champion, on the same held-out rows.")
    ] = None
    report: Report = field(default_factory=Report)
    reused: Annotated[
        bool, Doc(description="The same training had been done: its version is returned.")
    ] = False


@dataclass(frozen=True)
class Job:
    """One training, as it stands now."""

    id: str
    state: JobState
    phase: Phase = "start"
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    val_loss: float | None = None
    losses: Annotated[tuple[float, ...], Doc(description="Training loss of each epoch.")] = ()
    val_losses: Annotated[tuple[float, ...], Doc(description="Validation loss of each.")] = ()
    share: Annotated[float, Doc(description="Share done, 0 to 1.")] = 0.0
    seconds_left: float | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None
    rows: int | None = None
    file_name: str = ""
    author: str = ""
    reason: Annotated[Message | None, Doc(description="Why it failed.")] = None
    result: TrainingResult | None = None

    @property
    def active(self) -> bool:
        """Whether it is waiting or running."""
        return self.state in ACTIVE


@dataclass(frozen=True)
class ModelDetails:
    """A version with its pictures."""

    model: ModelVersion
    evaluation: Evaluation
    profile: tuple[ColumnProfile, ...]


@dataclass(frozen=True)
class Inspection:
    """What is in a file, before anything is done with it."""

    report: Report
    valid: bool
    profile: tuple[ColumnProfile, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """Amounts for a file or a block of one, in the order of its data rows; NaN for a refused row.

    Parameters
    ----------
    amounts
        Medians of the cut distributions, in the target's unit; shape (n_rows,).
    lower, upper
        Bounds of the 90 % interval; shape (n_rows,), or (0,) where they were not asked for.
    expected
        Means of the cut distributions: what totals are made of; shape as that of the bounds.
    model_version
        The version that made them all.
    clients
        The file's own columns, in its order; n_rows rows.
    report
        What the reader said of the file.
    rejected
        The refused rows as they stand in the file, with the reasons; None: no row was refused.
    share
        How much of its file lies before the end of this block, 0 to 1.
    """

    amounts: npt.NDArray[np.float64]
    lower: npt.NDArray[np.float64]
    upper: npt.NDArray[np.float64]
    expected: npt.NDArray[np.float64]
    model_version: str
    clients: pa.Table
    report: Report
    rejected: Rejected | None = None
    share: float = 1.0


PREDICTION_COLUMNS: Mapping[str, str] = {
    "amounts": "prediction",
    "lower": "prediction_lower",
    "upper": "prediction_upper",
    "expected": "prediction_expected",
}
