"""One retraining: from checked rows to a registered version that serves, if it may."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from loanapp import __version__
from loanapp.core.answers import TrainingOptions, TrainingResult
from loanapp.core.challenge import compare_with, split_again
from loanapp.core.data.fingerprint import content_hash, row_hashes
from loanapp.core.data.schema import Schema, load_schema
from loanapp.core.errors import LoanappError, Message, message
from loanapp.core.home import PARTIAL, Home
from loanapp.core.jobs import Request
from loanapp.core.model.bundle import Bundle, save_bundle
from loanapp.core.model.metrics import Comparison
from loanapp.core.model.scorer import Scorer
from loanapp.core.model.training import Progress, Split, TrainedModel, train
from loanapp.core.settings import Settings
from loanapp.core.store.decision import decide
from loanapp.core.store.pointer import ModelUri
from loanapp.core.store.promotion import fetch_bundle, install_bundle, promote, promotion_lock
from loanapp.core.store.records import ModelVersion, VersionFacts
from loanapp.core.store.registry import REQUEST as REQUEST_TAG
from loanapp.core.store.registry import Registry
from loanapp.core.store.tracking import FILE, Tracking, environment_tags
from loanapp.core.store.uri import LOCK_WAIT_S, tracking_uri

logger = logging.getLogger(__name__)


def retrain(
    settings: Settings,
    request: Request,
    rows: Path,
    progress: Progress,
    commit: Callable[[], None],
) -> TrainingResult:
    """Train, compare with the champion, log, register and, if it may, promote.

    Parameters
    ----------
    rows
        Parquet file of the checked rows.
    progress
        Called with each phase and epoch.
    commit
        Called when there is no way back: from here a cancellation comes too late.

    Raises
    ------
    LoanappError
        The training ended without a model; nothing that serves has changed.
    """
    options = request.options
    progress("read", None)
    retraining = _Retraining(settings, request, progress, commit)
    schema, registry = retraining.schema, retraining.registry
    data = gather(pq.read_table(rows), registry, schema, options)
    request_hash = hash_request(data, schema, options, settings)
    known = None if options.force else registry.find(request_hash)
    if known:
        return retraining.reuse(known)
    trained = train(
        data,
        schema,
        policy=options.features or settings.features,
        seed=settings.seed if options.seed is None else options.seed,
        holdout_share=settings.holdout_share,
        progress=progress,
    )
    return retraining.finish(trained, request_hash)


def hash_request(
    data: pa.Table, schema: Schema, options: TrainingOptions, settings: Settings
) -> str:
    """SHA-256 of everything that decides what a training learns."""
    facts = {
        "data": content_hash(data),
        "contract": schema.fingerprint,
        "features": options.features or settings.features,
        "seed": settings.seed if options.seed is None else options.seed,
        "holdout": settings.holdout_share,
        "version": __version__,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def gather(
    data: pa.Table, registry: Registry, schema: Schema, options: TrainingOptions
) -> pa.Table:
    """Add the rows of earlier versions where that was asked for; no row counts twice.

    They come in an order of their own, so that the same rows are the same data whichever files
    they came in.
    """
    if options.data == "new":
        return data
    tables = [
        kept.select(data.column_names).cast(data.schema)
        for kept in registry.training_data()
        if set(data.column_names) <= set(kept.column_names)
    ]
    together = pa.concat_tables([data, *tables]).unify_dictionaries().combine_chunks()
    names = [f.name for f in schema.fields if f.name in data.column_names]
    _, first = np.unique(row_hashes(together, names), return_index=True)
    return together.take(first)


class _Retraining:
    """What is fixed for one retraining, and its steps beside the fit."""

    def __init__(
        self,
        settings: Settings,
        request: Request,
        progress: Progress,
        commit: Callable[[], None],
    ) -> None:
        self._home, self._settings, self._request = Home(settings.home), settings, request
        self._progress, self._commit = progress, commit
        self._uri = tracking_uri(self._home, settings.tracking_uri)
        self.schema = load_schema(settings.data_schema)
        self.registry = Registry(self._uri, settings.model_name, LOCK_WAIT_S)
        with promotion_lock(self._home):
            self._home.sweep()

    def reuse(self, known: ModelVersion) -> TrainingResult:
        """Answer with the version that the same request made before, and decide on it anew."""
        said = message(
            "This file was trained with these choices before: version {version} is its model.",
            version=known.version,
        )
        if known.champion:
            return self._result(known, said, True, reused=True)
        bundle = self._bundle(known)
        split = split_again(self.registry.rows_of(known), bundle)
        goes_live, decision, comparison = self._judge(bundle.scorer, split)
        if goes_live:
            self._commit()
            self._promote(known)
        said = message("{finding} {decision}", finding=said, decision=decision)
        return self._result(replace(known, comparison=comparison), said, goes_live, reused=True)

    def finish(self, trained: TrainedModel, request_hash: str) -> TrainingResult:
        """Compare, bundle, log, register and decide."""
        goes_live, decision, comparison = self._judge(Scorer.of(trained), trained.split)
        facts = VersionFacts(
            metrics=trained.evaluation.metrics,
            rows=trained.rows,
            data_hash=trained.data_hash,
            file_name=self._request.file_name,
            author=self._request.options.author,
            reason=self._request.options.reason,
            features=trained.policy,
            seed=trained.parameters["seed"],
            comparison=comparison,
            decision=decision,
            request_hash=request_hash,
        )
        model = self._registered(trained, facts)
        if goes_live:
            self._promote(model)
        return self._result(model, decision, goes_live)

    def _registered(self, trained: TrainedModel, facts: VersionFacts) -> ModelVersion:
        """Log and register a model; until it is registered, a stop leaves nothing of it."""
        self._progress("bundle", None)
        with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=self._home.bundles) as scratch:
            bundle = Path(scratch) / "bundle"
            save_bundle(trained, bundle)
            self._progress("log", None)
            tracking = Tracking(self._home, self._uri, self._settings.experiment)
            tracking.discard_interrupted()
            tags = {REQUEST_TAG: facts.request_hash, FILE: facts.file_name}
            with tracking.logged(trained, bundle, tags | environment_tags()) as run:
                self._progress("register", None)
                self._commit()
            version = self.registry.register(run, facts)
            with promotion_lock(self._home):
                install_bundle(self._home, bundle, version)
        return self.registry.version(version)

    def _promote(self, model: ModelVersion) -> None:
        self._progress("promote", None)
        promote(
            self._home,
            self.registry,
            self._uri,
            model,
            self._settings.model_name,
            action="train",
            author=self._request.options.author,
            reason=self._request.options.reason,
        )

    def _bundle(self, model: ModelVersion) -> Bundle:
        with promotion_lock(self._home):
            return fetch_bundle(self._home, self._uri, model)

    def _judge(self, challenger: Scorer, split: Split) -> tuple[bool, Message, Comparison | None]:
        """Decide on a challenger; gives the comparison too."""
        promotion = self._request.options.promotion or self._settings.promotion
        version = self.registry.champion()
        new, earlier = (
            (None, None) if version is None else self._compare(challenger, split, version)
        )
        margin_pct = self._settings.promotion_margin_pct
        return *decide(promotion, version, new, earlier, margin_pct), new

    def _compare(
        self, challenger: Scorer, split: Split, version: str
    ) -> tuple[Comparison | None, Comparison | None]:
        try:
            model = self.registry.version(version)
            champion = self._bundle(model)
            kept = split_again(self.registry.rows_of(model), champion)
            return compare_with(champion, kept, challenger, split, self.schema)
        except (LoanappError, KeyError) as error:
            logger.warning("champion not comparable", extra={"why": type(error).__name__})
            return None, None

    def _result(
        self, model: ModelVersion, said: Message, promoted: bool, *, reused: bool = False
    ) -> TrainingResult:
        assert model.metrics is not None  # noqa: S101 - it was made by a training
        return TrainingResult(
            message=said,
            run_id=model.run_id,
            model_version=model.version,
            model_uri=str(ModelUri(self._settings.model_name, model.version)),
            metrics=model.metrics,
            n_rows=model.rows or 0,
            promoted=promoted,
            comparison=model.comparison,
            report=self._request.report,
            reused=reused,
        )
