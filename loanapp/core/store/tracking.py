"""A trained model becomes an MLflow run: parameters, metrics, data, pictures, the model itself."""

from __future__ import annotations

import logging
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from loanapp.core.home import PARTIAL, Home
from loanapp.core.store.connection import connect, store_errors
from loanapp.core.store.proxy import address_of

if TYPE_CHECKING:
    from loanapp.core.model.training import TrainedModel

MODEL_ARTIFACT, BUNDLE_ARTIFACT, DATA_ARTIFACT = "model", "bundle", "data"
REQUIREMENTS = ("loanapp", "numpy", "pandas", "scikit-learn", "skops")
TRUSTED_MODULES = ("loanapp.core.model",)
HOME, FILE = "loanapp.home", "loanapp.file"
LOCK_WAIT_S = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """What MLflow calls the run and the model in it.

    Parameters
    ----------
    run_id
        The run.
    model_source
        The logged model, ``models:/<model_id>``.
    """

    run_id: str
    model_source: str

    @property
    def model_id(self) -> str:
        """The logged model's own name; a server asks for it beside its address."""
        return self.model_source.removeprefix("models:/")


class Tracking:
    """Writes runs.

    Parameters
    ----------
    home
        Where artefacts go when the store is the local one.
    uri
        Of MLflow's store.
    experiment
        The experiment's name; made with an absolute artefact folder where it is missing.
    """

    def __init__(self, home: Home, uri: str, experiment: str) -> None:
        self._home, self._uri, self._experiment = home, uri, experiment
        self._client = connect(uri)

    @contextmanager
    def logged(
        self, trained: TrainedModel, bundle: Path, tags: Mapping[str, str]
    ) -> Iterator[LoggedRun]:
        """Write one run; whoever stops the training inside the block takes it away again.

        Parameters
        ----------
        trained
            The model.
        bundle
            Folder of its scoring artefact.
        tags
            Tags of the run.

        Raises
        ------
        StoreUnavailable
            The run is marked as failed where that is still possible.
        """
        with store_errors():
            run_id = self._create_run(tags)
            try:
                self._log_numbers(run_id, trained)
                self._log_data(run_id, trained)
                self._log_pictures(run_id, trained)
                self._client.log_artifacts(run_id, str(bundle), BUNDLE_ARTIFACT)
                source = self._log_model(run_id, trained, bundle)
                self._client.set_terminated(run_id)
                logger.info("run logged", extra={"run": run_id})
                yield LoggedRun(run_id, source)
            except Exception:
                with suppress(Exception):
                    self._client.set_terminated(run_id, "FAILED")
                raise
            except BaseException:
                self._discard(run_id)
                raise

    def discard_interrupted(self) -> None:
        """Take the runs of this home away whose process is gone.

        Only to be called under the training lock.
        """
        with store_errors():
            experiment = self._client.get_experiment_by_name(self._experiment)
            if experiment is None:
                return
            wanted = "attributes.status = 'RUNNING'"
            for run in self._client.search_runs([experiment.experiment_id], wanted):
                if run.data.tags.get(HOME) == str(self._home.path):
                    self._discard(run.info.run_id)

    def _discard(self, run_id: str) -> None:
        """Delete a run with its model and their files."""
        experiment_id = self._client.get_run(run_id).info.experiment_id
        its = f"source_run_id = '{run_id}'"
        for model in self._client.search_logged_models([experiment_id], its):
            self._client.delete_logged_model(model.model_id)
            shutil.rmtree(self._home.artifacts / "models" / model.model_id, ignore_errors=True)
        self._client.delete_run(run_id)
        shutil.rmtree(self._home.artifacts / run_id, ignore_errors=True)
        logger.warning("unfinished run taken away", extra={"run": run_id})

    def _create_run(self, tags: Mapping[str, str]) -> str:
        run = self._client.create_run(
            self._experiment_id(),
            run_name=tags.get(FILE),
            tags={**tags, HOME: str(self._home.path)},
        )
        return str(run.info.run_id)

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        if found:
            return str(found.experiment_id)
        local = self._uri.startswith("sqlite:")
        location = self._home.artifacts.as_uri() if local else None
        return str(self._client.create_experiment(self._experiment, location))

    def _log_numbers(self, run_id: str, trained: TrainedModel) -> None:
        from mlflow.entities import Metric, Param

        evaluation = trained.evaluation
        now = int(time.time() * 1000)
        metrics = [
            Metric("MAE", evaluation.metrics.mae, now, 0),
            Metric("MSE", evaluation.metrics.mse, now, 0),
            Metric("R2", evaluation.metrics.r2, now, 0),
            Metric("coverage_90", evaluation.coverage, now, 0),
        ]
        curve = zip(evaluation.epochs, evaluation.losses, evaluation.val_losses, strict=True)
        for epoch, loss, val_loss in curve:
            metrics += [Metric("loss", loss, now, epoch), Metric("val_loss", val_loss, now, epoch)]
        parameters = [Param(k, str(v)) for k, v in trained.parameters.items()]
        for start in range(0, len(metrics), 900):
            self._client.log_batch(run_id, metrics[start : start + 900])
        self._client.log_batch(run_id, params=parameters)

    def _log_data(self, run_id: str, trained: TrainedModel) -> None:
        """Log the rows as the run's dataset, and keep them as Parquet by their content hash."""
        import pyarrow as pa
        import pyarrow.parquet as pq
        from mlflow.data.pandas_dataset import from_pandas
        from mlflow.entities import DatasetInput, InputTag

        from loanapp.core.model.training import to_frame

        data = pa.concat_tables([trained.split.train, trained.split.holdout])
        with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=self._home.path) as folder:
            file = Path(folder) / f"{trained.data_hash}.parquet"
            pq.write_table(data, file)
            self._client.log_artifact(run_id, str(file), DATA_ARTIFACT)
        stored = self._client.get_run(run_id).info.artifact_uri
        dataset = from_pandas(
            to_frame(data, data.column_names),
            source=f"{address_of(self._uri, stored)}/{DATA_ARTIFACT}/{file.name}",
            targets=trained.schema.target.name,
            name=f"{trained.schema.target.name}-{trained.data_hash[:8]}",
            digest=trained.data_hash[:36],
        )
        tag = InputTag("mlflow.data.context", "training")
        self._client.log_inputs(run_id, [DatasetInput(dataset._to_mlflow_entity(), [tag])])

    def _log_pictures(self, run_id: str, trained: TrainedModel) -> None:
        from loanapp.core.store.pictures import draw_fit, draw_training

        for name, draw in (("training_curve", draw_training), ("predicted_vs_actual", draw_fit)):
            figure = draw(trained.evaluation, trained.schema.target)
            self._client.log_figure(run_id, figure, f"{name}.png")

    def _log_model(self, run_id: str, trained: TrainedModel, bundle: Path) -> str:
        """Log the pipeline with an example of clients who do not exist."""
        import mlflow
        import mlflow.sklearn
        from mlflow.models import infer_signature

        from loanapp.core.model.bundle import Bundle, canary_table
        from loanapp.core.model.training import to_frame

        mlflow.set_tracking_uri(self._uri)
        mlflow.set_registry_uri(self._uri)
        names = list(trained.feature_names)
        invented = canary_table(trained.schema, Bundle.load(bundle).manifest.canary)
        example = to_frame(invented, names)
        with mlflow.start_run(run_id=run_id):
            logged = mlflow.sklearn.log_model(
                trained.pipeline,
                name=MODEL_ARTIFACT,
                signature=infer_signature(example, trained.pipeline.predict(example)),
                input_example=example,
                pip_requirements=[f"{name}=={installed(name)}" for name in REQUIREMENTS],
                serialization_format="skops",
                skops_trusted_types=trusted_types(trained.pipeline),
            )
        return str(logged.model_uri)


def trusted_types(pipeline: Any) -> list[str]:
    """Name the types of ours in a pipeline; whatever else skops does not know stays untrusted."""
    import skops.io

    unknown = skops.io.get_untrusted_types(data=skops.io.dumps(pipeline))
    return [name for name in unknown if name.startswith((*TRUSTED_MODULES, "numpy."))]


def environment_tags() -> dict[str, str]:
    """Name the versions that a model was made with."""
    names = ("loanapp", "keras", "scikit-learn", "numpy")
    return {"python": platform.python_version(), **{name: installed(name) for name in names}}


def discard_elsewhere(home: Home, uri: str, experiment: str) -> None:
    """Take away what interrupted trainings left in MLflow, in a process of its own.

    It takes MLflow seconds, and a server never imports it.
    """
    process = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", __name__, str(home.path), uri, experiment],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    Thread(target=process.wait, daemon=True, name="reap-discard").start()


def main(home: str, uri: str, experiment: str) -> None:
    """Take away what interrupted trainings left in MLflow, unless one runs: it will."""
    place = Home(Path(home))
    tracking = Tracking(place, uri, experiment)
    with suppress(Timeout), FileLock(place.lock("training"), timeout=LOCK_WAIT_S):
        tracking.discard_interrupted()


if __name__ == "__main__":
    main(*sys.argv[1:])
