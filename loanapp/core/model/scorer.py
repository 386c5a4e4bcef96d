"""From a validated table to amounts, on arrays: what a server scores with.

NumPy scores the arrays: for 100,000 rows onnxruntime takes several times as long
(``tests/benchmarks/serving.py`` prints both), and its 70 MB are spared.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from loanapp.core.model.distribution import Distribution, Floats, Transform
from loanapp.core.model.encoder import Encoder
from loanapp.core.model.forward import BLOCK, Arrays, forward
from loanapp.core.pipeline import in_order

if TYPE_CHECKING:
    from loanapp.core.model.training import TrainedModel

SPAN = 16 * BLOCK
"""Rows scored by one thread; whole blocks, so that the same rows give the same bits."""


@dataclass(frozen=True)
class Scorer:
    """From a validated table to distributions of amounts, on arrays.

    Parameters
    ----------
    encoder
        From columns to features.
    arrays
        Of the network.
    transform, floor, ceiling
        Of the target; infinite bounds: never cut.
    """

    encoder: Encoder
    arrays: Arrays
    transform: Transform
    floor: float
    ceiling: float

    @classmethod
    def of(cls, trained: TrainedModel) -> Scorer:
        """Take a fitted pipeline's arrays."""
        regressor = trained.pipeline["regressor"]
        return cls(
            Encoder.of(trained.pipeline["features"], trained.schema.features(trained.policy)),
            regressor.arrays_,
            regressor.transform_,
            *regressor.bounds_,
        )

    def score(self, data: pa.Table) -> Distribution:
        """Give the distributions of the amounts of a table's rows, in the target's unit.

        Many rows are scored on all cores: the arithmetic runs outside of Python's lock.
        """
        spans = [data.slice(start, SPAN) for start in range(0, max(data.num_rows, 1), SPAN)]
        centres, spreads = zip(*in_order(self._forward, spans), strict=True)
        centre, spread = np.concatenate(centres), np.concatenate(spreads)
        return Distribution(centre, spread, self.floor, self.ceiling, self.transform)

    def _forward(self, data: pa.Table) -> tuple[Floats, Floats]:
        return forward(self.arrays, self.encoder.encode(data))

    def to_npz(self) -> bytes:
        """Write it as a file of arrays."""
        transform = self.transform
        numbers = [transform.origin, transform.bend, transform.direction, self.floor, self.ceiling]
        arrays: dict[str, Any] = {"target": np.array(numbers, np.float64)}
        arrays |= {f"encoder.{name}": array for name, array in self.encoder.arrays().items()}
        arrays |= {f"network.{name}": array for name, array in self.arrays.items()}
        sink = io.BytesIO()
        np.savez(sink, **arrays)
        return sink.getvalue()

    @classmethod
    def from_npz(cls, content: bytes) -> Scorer:
        """Read what `to_npz` wrote; raises ValueError or KeyError where it did not."""
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            groups: dict[str, dict[str, Any]] = {"encoder": {}, "network": {}}
            for key in stored.files:
                group, _, name = key.partition(".")
                if group in groups:
                    groups[group][name] = stored[key]
            origin, bend, direction, floor, ceiling = stored["target"].tolist()
        return cls(
            Encoder.from_arrays(groups["encoder"]),
            groups["network"],
            Transform(origin, bend, int(direction)),
            floor,
            ceiling,
        )
