"""The bundle: what a server needs to score, in a folder that is checked before it is used.

``model.npz`` holds the arrays of the encoder and of the network; ``contract.json``,
``profile.json`` and ``evaluation.json`` are texts; ``model.onnx`` is the same model for programs
other than Loanapp, ``preprocessor.pkl`` is for notebooks, and neither is loaded here;
``manifest.json`` names every file with its SHA-256, and a few invented clients with their amounts
(the canary). Loading executes nothing from an artefact: arrays are read without pickle.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter

from loanapp import __version__
from loanapp.core.data.arrays import from_floats, from_texts
from loanapp.core.data.profile import ColumnProfile
from loanapp.core.data.samples import sample_clients
from loanapp.core.data.schema import Schema, parse_schema
from loanapp.core.errors import InvalidBundle, Message, message
from loanapp.core.model.distribution import Distribution
from loanapp.core.model.evaluation import Evaluation
from loanapp.core.model.metrics import Metrics
from loanapp.core.model.scorer import Scorer

if TYPE_CHECKING:
    from loanapp.core.model.training import TrainedModel

FORMAT = 1
ARRAYS, CONTRACT, PROFILE, EVALUATION = (
    "model.npz",
    "contract.json",
    "profile.json",
    "evaluation.json",
)
GRAPH, PREPROCESSOR, MANIFEST = "model.onnx", "preprocessor.pkl", "manifest.json"
CANARY_ROWS = 8
FOREIGN = (
    OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError,
    RecursionError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What reading and scoring a file that is no bundle of ours may raise."""

_PROFILE = TypeAdapter(tuple[ColumnProfile, ...])
_EVALUATION = TypeAdapter(Evaluation)


@dataclass(frozen=True)
class Manifest:
    """What a bundle is, and the checks that it must pass.

    Parameters
    ----------
    format
        Of the bundle's files.
    loanapp
        The release that made it.
    trained_at
        When.
    features
        The columns that feed the model, in the encoder's order.
    rows
        Rows trained and tested on.
    data_hash
        SHA-256 of those rows.
    metrics
        On the held-out rows.
    files
        SHA-256 of every other file, by name.
    canary, canary_amounts
        Invented clients, column by column, and the amounts that the pipeline gave them.
    """

    format: int
    loanapp: str
    trained_at: datetime
    features: tuple[str, ...]
    rows: int
    data_hash: str
    metrics: Metrics
    files: dict[str, str]
    canary: dict[str, list[float | str | None]]
    canary_amounts: tuple[float, ...]


_MANIFEST = TypeAdapter(Manifest)


@dataclass(frozen=True)
class Bundle:
    """A model that serves: its scorer, its contract, and what is known of it."""

    manifest: Manifest
    scorer: Scorer
    schema: Schema
    profile: tuple[ColumnProfile, ...]
    folder: Path

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that it needs."""
        return self.manifest.features

    @cached_property
    def evaluation(self) -> Evaluation:
        """What was learned, for the pictures."""
        return _EVALUATION.validate_json((self.folder / EVALUATION).read_bytes())

    def score(self, data: pa.Table) -> Distribution:
        """Give the distributions of the amounts of a table's rows, in the target's unit."""
        return self.scorer.score(data)

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Read a bundle and check it.

        Raises
        ------
        InvalidBundle
            A file is missing, changed or foreign, or the canary is not scored as it was when
            the model was made.
        """
        try:
            manifest = _MANIFEST.validate_json((folder / MANIFEST).read_bytes())
            contents = {name: _checked(folder, name, sha) for name, sha in manifest.files.items()}
            bundle = cls(
                manifest,
                Scorer.from_npz(contents[ARRAYS]),
                parse_schema(json.loads(contents[CONTRACT])),
                _PROFILE.validate_json(contents[PROFILE]),
                folder,
            )
            bundle._sing()
        except InvalidBundle:
            raise
        except FOREIGN as error:
            raise _invalid(folder, _first_line(error)) from error
        return bundle

    def _sing(self) -> None:
        """Score the canary: a model that answers otherwise than when it was made is refused."""
        if self.manifest.format != FORMAT:
            raise _invalid(self.folder, message("its format is not known to this release"))
        amounts = self.score(canary_table(self.schema, self.manifest.canary)).median()
        expected = np.array(self.manifest.canary_amounts)
        if amounts.shape != expected.shape or not np.allclose(amounts, expected, 1e-6, 1e-3):
            raise _invalid(self.folder, message("it does not score as when it was made"))


def save_bundle(trained: TrainedModel, folder: Path) -> None:
    """Write a trained model as a bundle into a new folder, and check that it loads.

    Raises
    ------
    InvalidBundle
        The bundle does not score as the pipeline does.
    """
    from loanapp.core.model.graph import to_onnx

    folder.mkdir()
    scorer = Scorer.of(trained)
    contents = {
        ARRAYS: scorer.to_npz(),
        GRAPH: to_onnx(scorer),
        CONTRACT: json.dumps(dict(trained.schema.document), ensure_ascii=False).encode(),
        PROFILE: _PROFILE.dump_json(trained.profile),
        EVALUATION: _EVALUATION.dump_json(trained.evaluation),
        PREPROCESSOR: pickle.dumps(trained.pipeline["features"]),
    }
    canary = sample_clients(trained.schema, CANARY_ROWS, target=False, missing=0.1)
    columns = {
        f.name: canary[f.name].cast(pa.float64() if f.is_numeric else pa.string()).to_pylist()
        for f in trained.schema.features(trained.policy)
    }
    manifest = Manifest(
        format=FORMAT,
        loanapp=__version__,
        trained_at=datetime.now(UTC),
        features=trained.feature_names,
        rows=trained.rows,
        data_hash=trained.data_hash,
        metrics=trained.evaluation.metrics,
        files={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        canary=columns,
        canary_amounts=tuple(trained.predict(canary_table(trained.schema, columns)).tolist()),
    )
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_bytes(_MANIFEST.dump_json(manifest, indent=1))
    Bundle.load(folder)


def canary_table(schema: Schema, columns: dict[str, list[float | str | None]]) -> pa.Table:
    """Make the canary's records a table."""
    return pa.table(
        {
            name: from_floats(np.array(values, np.float64))
            if schema.by_name[name].is_numeric
            else from_texts([None if value is None else str(value) for value in values])
            for name, values in columns.items()
        }
    )


def _checked(folder: Path, name: str, sha: str) -> bytes:
    if Path(name).name != name:
        raise _invalid(folder, message("its manifest names a file elsewhere"))
    content = (folder / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha:
        raise _invalid(folder, message("the file {name} was changed or cut short", name=name))
    return content


def _invalid(folder: Path, why: Message | str) -> InvalidBundle:
    return InvalidBundle(
        message(
            "The model of version {version} cannot be used: {why}.", version=folder.name, why=why
        )
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
