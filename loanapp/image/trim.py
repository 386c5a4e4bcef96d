"""Remove from an image's packages what no program of ours opens: ``python trim.py SITE_PACKAGES``.

Only files that are never read: headers and sources for compilers, test suites, other readers'
locales, other services of Amazon's, and libraries that a package brings for features not used here.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

UNUSED = (
    # TensorFlow's headers, its StableHLO; Clang, which it declares and never loads
    "tensorflow/include",
    "tensorflow/xla_aot_runtime_src",
    "tensorflow/compiler/mlir/stablehlo/stablehlo_extension.so",
    "clang",
    # Arrow over the network
    "pyarrow/include",
    "pyarrow/*flight*",
    # Notebook widgets, sample pictures
    "pydeck/nbextension",
    "matplotlib/mpl-data/sample_data",
    "onnx/backend/test",
    # Test suites
    *(f"{package}/**/tests" for package in ("matplotlib", "numpy", "pandas", "pyarrow", "scipy")),
    *(f"{package}/**/tests" for package in ("h5py", "psutil", "skops", "sklearn", "supervisor")),
    "joblib/test",
)
KEPT_LOCALES = ("root", "en", "fr")
KEPT_SERVICES = ("s3", "sts", "sso", "sso-oidc")


def unused(packages: Path) -> Iterator[Path]:
    """Name what goes."""
    for pattern in UNUSED:
        yield from packages.glob(pattern)
    for locale in packages.glob("babel/locale-data/*.dat"):
        if locale.stem.partition("_")[0] not in KEPT_LOCALES:
            yield locale
    for service in packages.glob("botocore/data/*/"):
        if service.name not in KEPT_SERVICES:
            yield service


def main(packages: Path) -> None:
    """Remove it, and say how much that was."""
    removed = 0
    for path in list(unused(packages)):
        inside = path.rglob("*") if path.is_dir() else (path,)
        removed += sum(file.lstat().st_size for file in inside if file.is_file())
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    print(f"{removed / 1e6:.0f} MB removed")  # noqa: T201 - for whoever builds


if __name__ == "__main__":
    main(Path(sys.argv[1]))
