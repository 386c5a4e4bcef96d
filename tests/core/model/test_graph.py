"""A model scores outside of Loanapp as it does inside, on onnxruntime alone."""

import csv
import io
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loanapp.core.answers import PREDICTION_COLUMNS
from loanapp.core.model.bundle import Bundle
from loanapp.core.model.distribution import Transform
from loanapp.core.model.encoder import CategoryCode, Encoder, NumericCode
from loanapp.core.model.evaluation import LOWER, UPPER
from loanapp.core.model.graph import to_onnx
from loanapp.core.model.scorer import Scorer
from loanapp.core.service import Service

ROOT = Path(__file__).parents[3]


def make_scorer(transform: Transform, bounds: tuple[float, float], seed: int) -> Scorer:
    """Make a scorer of another lender: a number with gaps, open texts, features of no column."""
    rng = np.random.default_rng(seed)
    d, members, width, pieces = 7, 2, 4, 3

    def some(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    arrays = {
        "feature_centre": rng.normal(size=d), "feature_scale": rng.uniform(1, 3, d),
        "linear": rng.normal(size=(d, 2)) * [300, 0.1], "intercept": np.array([1500, 5.0]),
        "weight_1": some(d, members * width), "bias_1": some(members * width),
        "axes": np.repeat([1], pieces), "knots": some(pieces), "slopes": some(pieces),
        "weight_pieces": some(pieces, width), "weight_2": some(members, width, width),
        "bias_2": some(members, width), "log_spread": np.array([1, 6.5]),
        "weight_out": some(members * width, 2) * np.float32([100, 0.1]),
    }  # fmt: skip
    quartiers = CategoryCode(("Nord", "l’Île"), rng.normal(size=(4, 3)))
    surface = NumericCode(np.array([0.05, 0]), np.array([-1, 0.0]), np.array([0.5, 1]))
    codes = {"quartier né": (np.array([0, 2, 5]), quartiers), "m²": (np.array([1, 3]), surface)}
    return Scorer(Encoder(rng.normal(size=d), codes), arrays, transform, *bounds)


def score_outside(graph: bytes, table: pa.Table) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(graph)
    columns = {
        column.name: np.array(table[column.name].to_pylist(), np.float64)
        if column.type == "tensor(double)"
        else np.array([text or "" for text in table[column.name].to_pylist()], object)
        for column in session.get_inputs()
    }
    outputs: list[np.ndarray] = session.run(None, columns)
    return outputs


CLIENTS = st.fixed_dictionaries(
    {
        "quartier né": st.sampled_from(["Nord", "l’Île", "Sud", None]),
        "m²": st.none() | st.floats(0, 200),
    }
)
SHAPES = [
    (Transform(), (500.0, 40_000.0)),
    (Transform(), (-math.inf, math.inf)),
    (Transform(0.0, 800.0, 1), (0.0, math.inf)),
    (Transform(1000.0, 5000.0, -1), (-math.inf, 9000.0)),
]


@pytest.mark.parametrize(("transform", "bounds"), SHAPES)
@settings(max_examples=8, deadline=None)
@given(rows=st.lists(CLIENTS, min_size=1, max_size=20), seed=st.integers(0, 99))
def test_the_graph_gives_what_the_scorer_gives(transform, bounds, rows, seed):
    scorer = make_scorer(transform, bounds, seed)
    table = pa.table(
        {
            "quartier né": pa.array([r["quartier né"] for r in rows], pa.string()),
            "m²": pa.array([r["m²"] for r in rows], pa.float64()),
        }
    )
    inside = scorer.score(table)
    expected = (inside.median(), inside.quantile(LOWER), inside.quantile(UPPER), inside.mean())
    for outside, amounts in zip(score_outside(to_onnx(scorer), table), expected, strict=True):
        np.testing.assert_allclose(outside, amounts, rtol=1e-6, atol=1e-3)


def test_a_bundle_s_graph_is_valid_and_says_what_it_takes_and_gives(trained_home: Path) -> None:
    folder = trained_home / "models" / "bundles" / "1"
    graph = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(graph, full_check=True)
    features = Bundle.load(folder).features
    assert {column.name for column in graph.graph.input} == set(features)
    assert [column.name for column in graph.graph.output] == list(PREDICTION_COLUMNS.values())


def test_the_readme_s_lines_score_a_file_on_onnxruntime_alone(
    service: Service, clients_csv: bytes, tmp_path: Path
) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", readme, re.S)
    holed = emptied(clients_csv)
    (tmp_path / "clients.csv").write_bytes(holed)
    (tmp_path / "model.onnx").write_bytes((service.home.bundle("1") / "model.onnx").read_bytes())
    tail = "\nimport sys\nassert 'loanapp' not in sys.modules\nprint(*amounts.tolist())"
    command = [sys.executable, "-I", "-c", snippet + tail]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    amounts = np.array(done.stdout.split(), float)
    inside = service.predict(io.BytesIO(holed)).amounts
    np.testing.assert_allclose(amounts, inside, rtol=1e-6, atol=1e-3)


def emptied(file: bytes) -> bytes:
    """Empty a cell in each row, another column each time, but never a first name."""
    rows = list(csv.reader(io.StringIO(file.decode())))
    for number, row in enumerate(rows[1:]):
        row[2 + number % (len(row) - 2)] = ""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
