"""One retraining: from checked rows to a registered version that serves, if it may."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from loanapp import __version__
from loanapp.core.answers import TrainingOptions, TrainingResult
from loanapp.core.data.fingerprint import content_hash, row_hashes
from loanapp.core.data.schema import Schema, load_schema
from loanapp.core.errors import LoanappError, Message, message
from loanapp.core.home import PARTIAL, Home
from loanapp.core.jobs import Request
from loanapp.core.model.bundle import Bundle, Scorer, save_bundle
from loanapp.core.model.metrics import Comparison, compare
from loanapp.core.model.training import Progress, TrainedModel, split_rows, train
from loanapp.core.settings import Promotion, Settings
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
    home: Home,
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
    options, schema = request.options, load_schema(settings.data_schema)
    progress("read", None)
    uri = tracking_uri(home, settings.tracking_uri)
    with promotion_lock(home):
        home.sweep()
    registry = Registry(uri, settings.model_name, LOCK_WAIT_S)
    data = gather(pq.read_table(rows), registry, schema, options)
    request_hash = hash_request(data, schema, options, settings)
    known = None if options.force else registry.find(request_hash)
    retraining = _Retraining(home, settings, registry, uri, schema, request, commit)
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
    return retraining.finish(trained, request_hash, progress)


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
    """Add the rows of earlier versions where that was asked for; no row counts twice."""
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
    return together.take(np.sort(first))


class _Retraining:
    """What is fixed for one retraining, and its steps after the fit."""

    def __init__(
        self,
        home: Home,
        settings: Settings,
        registry: Registry,
        uri: str,
        schema: Schema,
        request: Request,
        commit: Callable[[], None],
    ) -> None:
        self._home, self._settings, self._registry, self._uri = home, settings, registry, uri
        self._schema, self._request, self._commit = schema, request, commit

    def reuse(self, known: ModelVersion) -> TrainingResult:
        """Answer with the version that the same request made before."""
        promoted = known.champion
        if not promoted and self._promotion == "always":
            self._commit()
            self._promote(known)
            promoted = True
        said = "This file was trained with these choices before: version {version} is its model."
        return self._result(known, message(said, version=known.version), promoted, reused=True)

    def finish(
        self, trained: TrainedModel, request_hash: str, progress: Progress
    ) -> TrainingResult:
        """Compare, bundle, log, register and decide."""
        champion, comparison, earlier = self._compare(trained)
        goes_live, decision = decide(
            self._promotion, champion, comparison, earlier, self._settings.promotion_margin_pct
        )
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
        progress("bundle", None)
        with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=self._home.bundles) as scratch:
            bundle = Path(scratch) / "bundle"
            save_bundle(trained, bundle)
            progress("log", None)
            tags = {REQUEST_TAG: request_hash, FILE: self._request.file_name}
            tracking = Tracking(self._home, self._uri, self._settings.experiment)
            tracking.close_interrupted()
            run = tracking.log(trained, bundle, tags | environment_tags())
            progress("register", None)
            self._commit()
            version = self._registry.register(run, facts)
            install_bundle(self._home, bundle, version)
        progress("promote", None)
        model = self._registry.version(version)
        if goes_live:
            self._promote(model)
        return self._result(model, decision, goes_live)

    @property
    def _promotion(self) -> Promotion:
        return self._request.options.promotion or self._settings.promotion

    def _promote(self, model: ModelVersion) -> None:
        options = self._request.options
        promote(
            self._home,
            self._registry,
            self._uri,
            model,
            self._settings.model_name,
            action="train",
            author=options.author,
            reason=options.reason,
        )

    def _compare(
        self, trained: TrainedModel
    ) -> tuple[str | None, Comparison | None, Comparison | None]:
        """Compare with the champion on rows that neither was trained on.

        Gives the champion, the comparison on the new file's held-out rows, and the one on those
        of the champion's own file: a file full of errors flatters the model that learned them.
        """
        version = self._registry.champion()
        if version is None:
            return None, None, None
        try:
            model = self._registry.version(version)
            champion = fetch_bundle(self._home, self._uri, model)
            challenger = Scorer.of(trained)
            comparison = self._compare_on(trained.split.holdout, champion, challenger)
            share = self._settings.holdout_share
            kept = split_rows(self._registry.rows_of(model), self._schema, share)
            return version, comparison, self._compare_on(kept.holdout, champion, challenger)
        except (LoanappError, KeyError) as error:
            logger.warning("champion not comparable", extra={"why": type(error).__name__})
            return version, None, None

    def _compare_on(self, rows: pa.Table, champion: Bundle, challenger: Scorer) -> Comparison:
        groups = {
            f.name: rows[f.name].cast(pa.string()).to_numpy(zero_copy_only=False)
            for f in self._schema.protected
            if f.name in rows.column_names and not f.is_numeric
        }
        return compare(
            rows[self._schema.target.name].to_numpy(),
            champion.score(rows).median(),
            challenger.score(rows).median(),
            groups=groups,
        )

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
