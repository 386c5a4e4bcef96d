"""Seconds from a file to a registered version, and what they are spent on.

    python tests/benchmarks/training.py                 invented clients: 2,000, 20,000, 200,000
    python tests/benchmarks/training.py clients.csv     rows of a file, drawn with replacement
    python tests/benchmarks/training.py --rows 2000

Each size is trained in a process of its own, beside a plain ``keras.fit`` of a Dense 64-32 network
(50 epochs, batch 32) on the same encoded rows. The last columns are ratios within the same run.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (2_000, 20_000, 200_000)


def measure(rows: int, file: Path | None, plain: bool) -> dict[str, float]:
    """Train once in this process; gives the seconds of each part."""
    begun = time.perf_counter()
    import keras
    import numpy as np
    import tensorflow as tf

    from loanapp.core.data.samples import sample_csv
    from loanapp.core.data.schema import load_schema
    from loanapp.core.data.table import read_table
    from loanapp.core.home import Home
    from loanapp.core.model.bundle import save_bundle
    from loanapp.core.model.training import to_frame, train
    from loanapp.core.store.records import VersionFacts
    from loanapp.core.store.registry import Registry
    from loanapp.core.store.tracking import Tracking
    from loanapp.core.store.uri import tracking_uri

    seconds = {"import": time.perf_counter() - begun}
    schema = load_schema()
    names = [f.name for f in (*schema.features(), schema.target)]
    content = file.read_bytes() if file else sample_csv(schema, rows)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.make()
        uri = tracking_uri(home, None)
        tracking = Tracking(home, uri, "benchmark")
        begun = time.perf_counter()
        data = read_table(io.BytesIO(content), schema, required=names).data
        seconds["read"] = time.perf_counter() - begun
        if file:
            data = data.take(np.random.default_rng(0).integers(0, data.num_rows, rows))
        begun = time.perf_counter()
        trained = train(data, schema)
        seconds["fit"] = time.perf_counter() - begun
        begun = time.perf_counter()
        save_bundle(trained, home.bundles / "bundle")
        with tracking.logged(trained, home.bundles / "bundle", {}) as run:
            pass
        Registry(uri, "benchmark").register(run, VersionFacts())
        seconds["log"] = time.perf_counter() - begun
    if plain:
        frame = to_frame(trained.split.train, list(trained.feature_names))
        encoded = trained.pipeline["features"].transform(frame).astype("float32")
        amounts = trained.split.train[schema.target.name].to_numpy().astype("float32") / 10_000
        network = keras.Sequential(
            [keras.layers.Dense(64, "relu"), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
        )
        network.compile("adam", "mse")
        tf.random.set_seed(0)
        begun = time.perf_counter()
        network.fit(encoded, amounts, epochs=50, batch_size=32, verbose=0)
        seconds["plain"] = time.perf_counter() - begun
    seconds["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--rows", type=int, nargs="*", default=SIZES)
    parser.add_argument("--plain-up-to", type=int, default=20_000, help="rows for plain Keras")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        (rows,) = options.rows
        print(json.dumps(measure(rows, options.file, rows <= options.plain_up_to)))
        return
    heads = ("import", "read", "fit", "log", "total", "plain fit", "fit/plain", "×fit", "MB")
    print(f"{'rows':>8}" + "".join(f"{h:>11}" for h in heads))
    first = None
    for rows in options.rows:
        command = [sys.executable, __file__, "--one", "--rows", str(rows)]
        command += ["--plain-up-to", str(options.plain_up_to)]
        command += [str(options.file)] if options.file else []
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        s = json.loads(done.stdout.splitlines()[-1])
        first = first or s["fit"]
        total = s["import"] + s["read"] + s["fit"] + s["log"]
        plain = s.get("plain")
        cells = [s["import"], s["read"], s["fit"], s["log"], total]
        print(
            f"{rows:>8,}"
            + "".join(f"{c:>10.1f}s" for c in cells)
            + (f"{plain:>10.1f}s{s['fit'] / plain:>11.2f}" if plain else f"{'–':>11}{'–':>11}")
            + f"{s['fit'] / first:>11.1f}{s['memory_mb']:>11,.0f}"
        )


if __name__ == "__main__":
    main()
