"""How accurate the model is beside its peers, cross-validated on the same folds.

    python tests/benchmarks/accuracy.py clients.csv            a file of the built-in contract
    python tests/benchmarks/accuracy.py file.csv --schema contract.json --policy lawful
    python tests/benchmarks/accuracy.py --problems             the regressions of problems.py
    python tests/benchmarks/accuracy.py --problems steps friedman_1 --models tobit lightgbm

CatBoost and LightGBM take part when the group `peers` is installed, RealMLP and TabM when
pytabkit is. Predictions of models that do not know the bounds are cut to them.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from problems import PROBLEMS
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from loanapp.core.data.schema import Schema, load_schema, parse_schema
from loanapp.core.data.table import read_table
from loanapp.core.model.distribution import Distribution
from loanapp.core.model.features import make_features
from loanapp.core.model.metrics import evaluate
from loanapp.core.model.regressor import TobitRegressor
from loanapp.core.model.tobit import find_bounds, fit_line, sides
from loanapp.core.model.training import to_frame
from loanapp.core.settings import FeaturePolicy


class Fold(NamedTuple):
    """What a model is given: training rows with amounts, test rows, and the contract."""

    train: pd.DataFrame
    y: np.ndarray
    test: pd.DataFrame
    schema: Schema
    policy: FeaturePolicy
    seed: int


Predictions = tuple[np.ndarray, np.ndarray | None]
PEERS = ("hist_boosting", "catboost", "lightgbm")
TREES_TAKE = 255


def tobit(fold: Fold) -> Predictions:
    train, y, test, schema, policy, seed = fold
    features = make_features(schema, policy)
    model = TobitRegressor(cut=schema.cut, random_state=seed).fit(features.fit_transform(train), y)
    distribution = model.predict_distribution(features.transform(test))
    return distribution.median(), distribution.quantile([0.05, 0.95])


def linear_tobit(fold: Fold) -> Predictions:
    train, y, test, schema, policy, _ = fold
    features = make_pipeline(make_features(schema, policy), StandardScaler())
    X, bounds = features.fit_transform(train), find_bounds(y, schema.cut)
    line = fit_line(X, y, sides(y, *bounds))
    centre = features.transform(test) @ line.coefficients + line.intercept
    distribution = Distribution(centre, np.full(len(test), line.spread), *bounds)
    return distribution.median(), distribution.quantile([0.05, 0.95])


def ridge(fold: Fold) -> Predictions:
    return _point(fold, Ridge())


def mlp(fold: Fold) -> Predictions:
    network = MLPRegressor(
        hidden_layer_sizes=(64, 32), max_iter=500, early_stopping=True, random_state=fold.seed
    )
    return _point(fold, TransformedTargetRegressor(network, transformer=StandardScaler()))


def plain_keras(fold: Fold) -> Predictions:
    import keras

    train, y, test, schema, policy, seed = fold
    keras.utils.set_random_seed(seed)
    features = make_pipeline(make_features(schema, policy), StandardScaler())
    X = features.fit_transform(train)
    layers = [keras.layers.Dense(n, activation="relu") for n in (64, 32)]
    model = keras.Sequential([*layers, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(X, y, batch_size=32, epochs=50, verbose=0)
    return model.predict(features.transform(test), verbose=0)[:, 0].astype(float), None


def hist_boosting(fold: Fold) -> Predictions:
    train, y, test, _, _, seed = fold
    train, test = _categories(train, test)
    few = [c for c in _texts(train) if len(train[c].cat.categories) <= TREES_TAKE]
    for name in set(_texts(train)) - set(few):
        train[name], test[name] = train[name].cat.codes, test[name].cat.codes
    model = HistGradientBoostingRegressor(categorical_features=few or None, random_state=seed)
    return model.fit(train, y).predict(test), None


def lightgbm(fold: Fold) -> Predictions:
    import lightgbm

    train, y, test, _, _, seed = fold
    train, test = _categories(train, test)
    model = lightgbm.LGBMRegressor(verbose=-1, random_state=seed).fit(train, y)
    return np.asarray(model.predict(test)), None


def catboost(fold: Fold) -> Predictions:
    import catboost

    train, y, test, _, _, seed = fold
    texts = _texts(train)
    train, test = (
        t.assign(**{c: t[c].fillna("").astype(str) for c in texts}) for t in (train, test)
    )
    model = catboost.CatBoostRegressor(
        verbose=0, random_state=seed, cat_features=texts, allow_writing_files=False
    )
    return model.fit(train, y).predict(test), None


def realmlp(fold: Fold) -> Predictions:
    from pytabkit import RealMLP_TD_Regressor

    train, y, test, _, _, seed = fold
    return RealMLP_TD_Regressor(random_state=seed).fit(train, y).predict(test), None


def tabm(fold: Fold) -> Predictions:
    from pytabkit import TabM_D_Regressor

    train, y, test, _, _, seed = fold
    return TabM_D_Regressor(random_state=seed).fit(train, y).predict(test), None


MODELS: dict[str, Callable[[Fold], Predictions]] = {
    made.__name__: made
    for made in (
        tobit, linear_tobit, ridge, mlp, plain_keras, hist_boosting, catboost, lightgbm, realmlp,
        tabm,
    )
}  # fmt: skip
NEEDS = {"catboost": "catboost", "lightgbm": "lightgbm", "realmlp": "pytabkit", "tabm": "pytabkit"}


def cross_validate(
    name: str, X: pd.DataFrame, y: np.ndarray, schema: Schema, policy: FeaturePolicy, seed: int
) -> dict[str, float]:
    """MAE, RMSE, R², coverage of the 90 % interval and seconds a fit, over five folds."""
    predicted, inside, started = np.empty(len(y)), np.full(len(y), np.nan), time.perf_counter()
    for train, test in KFold(5, shuffle=True, random_state=42).split(X):
        fold = Fold(X.iloc[train], y[train], X.iloc[test], schema, policy, seed)
        amounts, band = MODELS[name](fold)
        predicted[test] = np.clip(amounts, *find_bounds(y[train], schema.cut))
        if band is not None:
            inside[test] = (band[:, 0] <= y[test]) & (y[test] <= band[:, 1])
    seconds = (time.perf_counter() - started) / 5
    metrics = evaluate(y, predicted)
    return {
        "MAE": metrics.mae,
        "RMSE": metrics.mse**0.5,
        "R2": metrics.r2,
        "coverage": float(inside.mean()),
        "seconds": seconds,
    }


def read_file(path: Path, schema: Schema, policy: FeaturePolicy) -> tuple[pd.DataFrame, np.ndarray]:
    names = [f.name for f in schema.features(policy)]
    with path.open("rb") as source:
        data = read_table(source, schema, required=[*names, schema.target.name]).data
    return to_frame(data, names), data[schema.target.name].to_numpy()


def contract_of(X: pd.DataFrame) -> Schema:
    kinds = {name: "number" if X[name].dtype.kind in "fiu" else "string" for name in X}
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    return parse_schema({"fields": [*fields, {"name": "y", "type": "number", "role": "target"}]})


def compare_on_file(
    path: Path, schema: Schema, policy: FeaturePolicy, models: list[str], seeds: int
) -> None:
    X, y = read_file(path, schema, policy)
    print(f"{path.name}: {len(y)} rows, {X.shape[1]} features")
    print(f"{'model':15}{'seed':>5}{'MAE':>10}{'RMSE':>10}{'R2':>8}{'cover':>8}{'s/fit':>8}")
    for name in models:
        for seed in range(seeds if name == "tobit" else 1):
            r = cross_validate(name, X, y, schema, policy, seed)
            print(
                f"{name:15}{seed:5}{r['MAE']:10.1f}{r['RMSE']:10.1f}{r['R2']:8.4f}"
                f"{r['coverage']:8.3f}{r['seconds']:8.2f}",
                flush=True,
            )


def compare_on_problems(names: list[str], models: list[str]) -> None:
    ratios = []
    print(f"{'problem':17}{'rows':>7}" + "".join(f"{name:>15}" for name in models) + "   ratio")
    for problem in names:
        X, y = PROBLEMS[problem]()
        mae = {name: cross_validate(name, X, y, contract_of(X), "all", 0)["MAE"] for name in models}
        peers = [mae[name] for name in PEERS if name in mae]
        ratios.append(mae["tobit"] / min(peers) if "tobit" in mae and peers else float("nan"))
        row = "".join(f"{value:15.5g}" for value in mae.values())
        print(f"{problem:17}{len(y):7}{row}{ratios[-1]:8.3f}", flush=True)
    print(f"median ratio {np.median(ratios):.3f}, largest {np.max(ratios):.3f}")


def _point(fold: Fold, regressor: object) -> Predictions:
    train, y, test, schema, policy, _ = fold
    model = make_pipeline(make_features(schema, policy), StandardScaler(), regressor)
    return model.fit(train, y).predict(test), None


def _texts(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame if frame[name].dtype.kind not in "fiu"]


def _categories(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    kinds = {c: pd.CategoricalDtype(sorted(train[c].dropna().unique())) for c in _texts(train)}
    return train.astype(kinds), test.astype(kinds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", nargs="?", type=Path)
    parser.add_argument("--schema", type=Path)
    parser.add_argument("--policy", choices=("all", "lawful"), default="all")
    parser.add_argument("--problems", nargs="*", choices=list(PROBLEMS))
    parser.add_argument("--models", nargs="+", choices=list(MODELS))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    there = [n for n in MODELS if n not in NEEDS or importlib.util.find_spec(NEEDS[n])]
    if options.csv:
        schema = load_schema(options.schema)
        compare_on_file(options.csv, schema, options.policy, options.models or there, options.seeds)
    if options.problems is not None:
        models = options.models or [n for n in ("tobit", *PEERS) if n in there]
        compare_on_problems(options.problems or list(PROBLEMS), models)


if __name__ == "__main__":
    main()
