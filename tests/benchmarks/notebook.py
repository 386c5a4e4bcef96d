"""The model of a notebook: a scikit-learn pipeline around Keras' own `fit` and `predict`.

What `mlflow models serve` is usually given for such a task; `serving.py --notebook` serves it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

UNITS, EPOCHS = 64, 50


class KerasRegressor(RegressorMixin, BaseEstimator):
    """Two hidden layers."""

    def fit(self, X: Any, y: Any) -> KerasRegressor:
        layers = [keras.layers.Dense(UNITS, activation="silu") for _ in range(2)]
        self.model_ = keras.Sequential([keras.Input((X.shape[1],)), *layers, keras.layers.Dense(1)])
        self.model_.compile(optimizer="adam", loss="mse")
        self.model_.fit(X, y, epochs=EPOCHS, batch_size=64, verbose=0)
        return self

    def predict(self, X: Any) -> Any:
        return self.model_.predict(X, verbose=0)[:, 0]


def log_notebook(file: Path, features: list[str], target: str) -> None:
    """Train on a file and register the model as `notebook`, version 1."""
    clients = pd.read_csv(file)
    X = clients[features].astype(dict.fromkeys(clients[features].select_dtypes("number"), float))
    numbers = list(X.select_dtypes("number"))
    words = [name for name in features if name not in numbers]
    prepared = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
        ]
    )
    regressor = TransformedTargetRegressor(KerasRegressor(), transformer=StandardScaler())
    pipeline = make_pipeline(prepared, regressor).fit(X, clients[target])
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            pipeline,
            name="model",
            registered_model_name="notebook",
            signature=mlflow.models.infer_signature(X, np.zeros(len(X))),
            serialization_format="cloudpickle",
            code_paths=[__file__],
        )


if __name__ == "__main__":
    log_notebook(Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3])
