"""How long a clean file of a million rows takes, beside pandas with declared types.

Run: ``python tests/benchmarks/reading.py [rows]``. Best of five, in turn, in one process. Fails
where reading and validating takes more than twice what ``pandas.read_csv`` takes alone.
"""

from __future__ import annotations

import csv
import io
import sys
import time
from collections.abc import Callable

import pandas as pd

from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import Field, load_schema
from loanapp.core.data.table import read_table

ROUNDS, ALLOWED = 5, 2.0


def main(rows: int) -> int:
    """Measure both and print the ratio."""
    schema = load_schema()
    required = [*(f.name for f in schema.features()), schema.target.name]
    kinds = {f.name: _dtype(f) for f in schema.fields}
    failed = False
    for label, data in _files(schema, rows).items():
        readers: dict[str, Callable[[], object]] = {
            "pandas": lambda data=data: pd.read_csv(io.BytesIO(data), dtype=kinds),
            "loanapp": lambda data=data: read_table(io.BytesIO(data), schema, required=required),
        }
        best = dict.fromkeys(readers, float("inf"))
        for _ in range(ROUNDS):
            for name, read in readers.items():
                started = time.perf_counter()
                read()
                best[name] = min(best[name], time.perf_counter() - started)
        ratio = best["loanapp"] / best["pandas"]
        failed |= ratio > ALLOWED
        print(
            f"{label}: {rows:,} rows, {len(data) / 1e6:.0f} MB: pandas {best['pandas']:.2f} s, "
            f"loanapp {best['loanapp']:.2f} s, ratio {ratio:.2f} (allowed {ALLOWED})"
        )
    return int(failed)


def _files(schema: object, rows: int) -> dict[str, bytes]:
    plain = sample_csv(schema, rows, seed=1)  # type: ignore[arg-type]
    quoted = pd.read_csv(io.BytesIO(plain)).to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)
    return {"texts in quotes": quoted.encode(), "no quotes": plain}


def _dtype(field: Field) -> str:
    if field.is_numeric:
        return "int64" if field.type == "integer" else "float64"
    return "category" if field.enum else "str"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
