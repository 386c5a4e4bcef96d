"""Where the state of one installation lies."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

PARTIAL = ".partial-"
TEMPORARY = "temporary"
REQUEST_S = 60


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of all state, and the places in it.

    Whatever is under way carries the prefix ``.partial-``; nothing reads such a path, and
    `sweep` removes what a crash left.
    """

    path: Path

    @property
    def database(self) -> Path:
        """MLflow's tracking and registry."""
        return self.path / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        """MLflow's artefacts."""
        return self.path / "mlruns"

    @property
    def models(self) -> Path:
        """What serves on this machine."""
        return self.path / "models"

    @property
    def pointer(self) -> Path:
        """One line that names the version that serves."""
        return self.models / "mlflow_model_uri.txt"

    @property
    def preprocessor(self) -> Path:
        """The champion's fitted preprocessor, for notebooks."""
        return self.models / "preprocessor.pkl"

    @property
    def bundles(self) -> Path:
        """Scoring artefacts by version."""
        return self.models / "bundles"

    @property
    def jobs(self) -> Path:
        """Trainings: request, events, what they are working on."""
        return self.path / "jobs"

    @property
    def logs(self) -> Path:
        """Log files."""
        return self.path / "logs"

    def bundle(self, version: str) -> Path:
        """Folder of one version's scoring artefact."""
        return self.bundles / version

    def lock(self, name: str) -> Path:
        """File of a lock that all processes on this machine share."""
        return self.jobs / f"{name}.lock"

    def make(self) -> None:
        """Make the folders that are written to."""
        for folder in (self.artifacts, self.bundles, self.jobs, self.logs):
            folder.mkdir(parents=True, exist_ok=True)

    def sweep(self) -> int:
        """Remove what an interrupted write left; says how many leftovers there were.

        Only to be called under the training and promotion locks. A request for a training is
        written before its process takes the lock: only old ones of those are leftovers.
        """
        leftovers = [
            path
            for folder in (self.path, self.models, self.bundles)
            if folder.is_dir()
            for path in folder.glob(f"{PARTIAL}*")
        ]
        leftovers += [p for p in self.jobs.glob(f"{PARTIAL}*") if _age_s(p) > REQUEST_S]
        for path in leftovers:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return len(leftovers)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
