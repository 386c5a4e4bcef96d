"""The one object that the faces call: train, predict, look, promote."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from threading import Thread
from typing import BinaryIO, Literal

from filelock import FileLock, Timeout

from loanapp import __version__
from loanapp.core import prediction
from loanapp.core.answers import (
    Health,
    HistoryEntry,
    Inspection,
    Job,
    ModelDetails,
    ModelVersion,
    Prediction,
    TrainingOptions,
)
from loanapp.core.data.profile import profile
from loanapp.core.data.schema import Schema, load_schema
from loanapp.core.data.table import Limits, Table, read_blocks, read_records, read_table
from loanapp.core.errors import InvalidBundle, InvalidTable, TrainingFailed, UnknownVersion, message
from loanapp.core.home import Home
from loanapp.core.jobs import Jobs, Request
from loanapp.core.model.bundle import Bundle
from loanapp.core.model.scorer import SPAN
from loanapp.core.pipeline import in_order
from loanapp.core.prediction import Predictor
from loanapp.core.settings import Settings
from loanapp.core.store.connection import store_errors
from loanapp.core.store.follower import Follower
from loanapp.core.store.history import earlier_champion, live_at
from loanapp.core.store.promotion import fetch_bundle, promote, promotion_lock
from loanapp.core.store.registry import Registry
from loanapp.core.store.tracking import discard_elsewhere
from loanapp.core.store.uri import tracking_uri

LEAST_ROWS = 20
RECOVER_S = 30
Purpose = Literal["train", "predict"]

logger = logging.getLogger(__name__)


class Service:
    """Everything Loanapp does, on one installation.

    Parameters
    ----------
    settings
        Which installation, and its limits.
    limits
        How large a file may be; default: what the settings allow of an upload.

    Notes
    -----
    Safe to call from several threads. It never imports TensorFlow: trainings run in processes of
    their own. MLflow is imported by the calls that list or change versions, not by predictions.
    """

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        self.settings = settings
        self._limits = limits
        self.home = Home(settings.home)
        self.home.make()
        self._schema = load_schema(settings.data_schema)
        self._uri = tracking_uri(self.home, settings.tracking_uri)
        self._predictor = Predictor(self.home)
        self._jobs = Jobs(self.home)
        self._registry = Registry(self._uri, settings.model_name)
        self._follower = Follower(self.home, self._uri, settings.model_name, settings.alias_check_s)
        self._follower.start()
        Thread(target=self._recover, daemon=True, name="recover").start()

    def close(self) -> None:
        """Stop following the registry."""
        self._follower.stop()

    # What serves

    def health(self) -> Health:
        """Whether a model serves, and which."""
        served = self._predictor.peek()
        error = self._predictor.error or self._follower.error
        manifest = served.bundle.manifest if served else None
        return Health(
            status="no_model" if served is None else "degraded" if error else "ok",
            model_available=served is not None,
            model_version=served.version if served else None,
            model_uri=str(served.uri) if served else None,
            trained_at=manifest.trained_at if manifest else None,
            timestamp=datetime.now(UTC),
            version=__version__,
            metrics=manifest.metrics if manifest else None,
            training_rows=manifest.rows if manifest else None,
            reload_error=error,
        )

    @property
    def ready(self) -> bool:
        """Whether a model serves."""
        return self._predictor.peek() is not None

    @property
    def settled(self) -> bool:
        """Whether a prediction would begin at once: no other model waits to be loaded first."""
        return self._predictor.settled

    @property
    def reload_failures(self) -> int:
        """How often a new model could not be loaded since the start."""
        return self._predictor.failures

    def schema(self) -> Schema:
        """The contract in force."""
        return self._schema

    def predict(self, source: BinaryIO, *, skip_invalid: bool = False) -> Prediction:
        """Score a file. Raises InvalidTable, LimitExceeded, NoModel."""
        return prediction.together(self.predict_blocks(source, skip_invalid=skip_invalid))

    def predict_blocks(
        self, source: BinaryIO, *, skip_invalid: bool = False, interval: bool = True
    ) -> Iterator[Prediction]:
        """Score a file that may be larger than memory, in blocks, all by one version.

        Parameters
        ----------
        source
            The file.
        skip_invalid
            Whether to leave out the rows with a problem instead of refusing the file.
        interval
            Whether to give the bounds of the interval and the expected amounts, too.

        Raises
        ------
        InvalidTable, LimitExceeded, NoModel
            A problem may be found after blocks were given: what was made of them does not count.
        """
        served = self._predictor.current()
        tables = read_blocks(
            source,
            served.bundle.schema,
            required=served.bundle.features,
            limits=self.limits,
            skip_invalid=skip_invalid,
            block_rows=SPAN,
        )
        return in_order(partial(prediction.predict, served, interval=interval), tables)

    def predict_records(
        self, records: Sequence[Mapping[str, object]], *, interval: bool = True
    ) -> Prediction:
        """Score clients given as records by column name. Raises InvalidTable, NoModel."""
        served = self._predictor.current()
        bundle = served.bundle
        table = read_records(records, bundle.schema, required=bundle.features)
        return prediction.predict(served, table, interval=interval)

    def inspect(self, source: BinaryIO, purpose: Purpose) -> Inspection:
        """Read a file and say what is in it; an unusable file is an answer, not an error."""
        served = self._predictor.peek()
        try:
            if purpose == "train":
                table = self._read_training(source, TrainingOptions())
            elif served:
                bundle = served.bundle
                table = read_table(
                    source, bundle.schema, required=bundle.features, limits=self.limits
                )
            else:
                features = [f.name for f in self._schema.features(self.settings.features)]
                table = read_table(source, self._schema, required=features, limits=self.limits)
        except InvalidTable as error:
            return Inspection(error.report, valid=False)
        reference = served.bundle.profile if served else ()
        return Inspection(table.report, valid=True, profile=profile(table.data, reference))

    # Trainings

    def start_training(
        self, source: BinaryIO, options: TrainingOptions, *, file_name: str = ""
    ) -> Job:
        """Check a file and start a training on it in its own process.

        Raises
        ------
        InvalidTable, LimitExceeded
            The file was refused.
        TrainingFailed
            It has too few rows.
        TrainingBusy
            Another training runs.
        """
        table = self._read_training(source, options)
        if table.rows < LEAST_ROWS:
            raise TrainingFailed(
                message(
                    "A training needs at least {least} rows; the file has {rows}.",
                    least=LEAST_ROWS,
                    rows=table.rows,
                )
            )
        secrets = {"api_token", "api_tokens"}
        told = self.settings.model_dump(mode="json", exclude=secrets, by_alias=False)
        request = Request(told, options, file_name, table.report.without_cells())
        return self._jobs.start(self.settings, request, table.data)

    def jobs(self) -> list[Job]:
        """The trainings, newest first."""
        return self._jobs.all()

    def job(self, job_id: str) -> Job:
        """One training as it stands now. Raises UnknownJob."""
        return self._jobs.read(job_id)

    def follow(self, job_id: str) -> Iterator[Job]:
        """Yield the training each time it has moved on, until it has ended. Raises UnknownJob."""
        return self._jobs.follow(job_id)

    def cancel(self, job_id: str) -> Job:
        """Stop a training. Raises UnknownJob.

        One that has ended, or is already about to go live, stays as it is.
        """
        job = self._jobs.cancel(job_id)
        if job.state == "cancelled" and job.phase in ("log", "register"):
            discard_elsewhere(self.home, self._uri, self.settings.experiment)
        return job

    # Versions

    def models(self) -> list[ModelVersion]:
        """The registered versions, newest first."""
        return self._registry.versions()

    def model(self, version: str) -> ModelDetails:
        """One version with its pictures. Raises UnknownVersion, InvalidBundle."""
        model = self._registry.version(version)
        try:
            bundle = Bundle.load(self.home.bundle(version))
        except InvalidBundle:
            with store_errors(), promotion_lock(self.home):
                bundle = fetch_bundle(self.home, self._uri, model)
        return ModelDetails(model, bundle.evaluation, bundle.profile)

    def history(self) -> list[HistoryEntry]:
        """Every change of the model that serves, newest first."""
        return self._registry.history()

    def live_at(self, moment: datetime) -> HistoryEntry | None:
        """The entry that made the model of that moment live; None: nothing served."""
        return live_at(self.history(), moment)

    def promote(self, version: str, *, author: str = "", reason: str = "") -> ModelVersion:
        """Make a version serve. Raises UnknownVersion, InvalidBundle."""
        return self._promote(version, "promote", author, reason)

    def rollback(self, *, author: str = "", reason: str = "") -> ModelVersion:
        """Make the version that served before serve again. Raises UnknownVersion.

        A second rollback goes further back.
        """
        with store_errors(), promotion_lock(self.home):
            self._registry.record_move()
        existing = {model.version for model in self.models()}
        earlier = earlier_champion(self.history(), existing)
        if earlier is None:
            raise UnknownVersion(message("There is no earlier version to go back to."))
        return self._promote(earlier, "rollback", author, reason)

    @property
    def limits(self) -> Limits:
        """How large a file may be."""
        return self._limits or Limits.from_settings(self.settings)

    def _promote(
        self, version: str, action: Literal["promote", "rollback"], author: str, reason: str
    ) -> ModelVersion:
        promote(
            self.home,
            self._registry,
            self._uri,
            self._registry.version(version),
            self.settings.model_name,
            action=action,
            author=author,
            reason=reason,
        )
        return self._registry.version(version)

    def _read_training(self, source: BinaryIO, options: TrainingOptions) -> Table:
        features = self._schema.features(options.features or self.settings.features)
        return read_table(
            source,
            self._schema,
            required=[f.name for f in (*features, self._schema.target)],
            optional=[f.name for f in self._schema.protected],
            limits=self.limits,
        )

    def _recover(self) -> None:
        """Clear up after trainings whose process is gone, unless one runs."""
        try:
            with FileLock(self.home.lock("training"), RECOVER_S), promotion_lock(self.home):
                interrupted = self._jobs.recover()
                if self.home.sweep():
                    logger.warning("leftovers of an interrupted write removed")
            if interrupted:
                discard_elsewhere(self.home, self._uri, self.settings.experiment)
        except Timeout:
            logger.info("a training is running")
        except OSError as error:
            logger.warning("not cleared up", extra={"why": type(error).__name__})
