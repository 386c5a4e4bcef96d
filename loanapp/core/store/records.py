"""What the registry tells: versions and the history of what served."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field as Doc

from loanapp.core.errors import Message
from loanapp.core.model.metrics import Comparison, Metrics
from loanapp.core.settings import FeaturePolicy

Action = Literal["train", "promote", "rollback", "reconcile"]


@dataclass(frozen=True, kw_only=True)
class VersionFacts:
    """What is known of a version when it is made; kept in the registry with it."""

    metrics: Annotated[Metrics | None, Doc(description="On the held-out rows.")] = None
    rows: Annotated[int | None, Doc(description="Rows trained and tested on.")] = None
    data_hash: Annotated[str | None, Doc(description="SHA-256 of the training rows.")] = None
    file_name: str = ""
    author: str = ""
    reason: str = ""
    features: FeaturePolicy = "all"
    seed: int | None = None
    comparison: Annotated[
        Comparison | None, Doc(description="Against the champion of that moment.")
    ] = None
    decision: Annotated[Message | None, Doc(description="Whether it went live then, and why.")] = (
        None
    )
    request_hash: Annotated[str, Doc(description="SHA-256 of the file and the choices.")] = ""


@dataclass(frozen=True, kw_only=True)
class ModelVersion(VersionFacts):
    """One registered version."""

    version: Annotated[str, Doc(examples=["2"])]
    run_id: str
    created_at: datetime
    champion: Annotated[bool, Doc(description="Whether it is the one that serves.")]

    @classmethod
    def of(cls, facts: VersionFacts, **known: object) -> ModelVersion:
        """Add what MLflow knows to the facts."""
        values = {name: getattr(facts, name) for name in VersionFacts.__dataclass_fields__}
        return cls(**values, **known)  # type: ignore[arg-type]


@dataclass(frozen=True)
class HistoryEntry:
    """One change of the model that serves. The list of them is append-only."""

    at: Annotated[datetime, Doc(description="Since when this version was live.")]
    version: str
    previous: str | None
    action: Annotated[
        Action, Doc(description="`reconcile`: the alias was moved in MLflow, and was followed.")
    ]
    author: str = ""
    reason: str = ""
    data_hash: Annotated[str | None, Doc(description="SHA-256 of its training rows.")] = None
    metrics: Annotated[Metrics | None, Doc(description="On its held-out rows.")] = None
