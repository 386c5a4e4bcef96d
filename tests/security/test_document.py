"""The API against its own document: whatever is sent, the answer is one that it names."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from loanapp.core.access import make_token

ANSWERS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "missing_required_header",
)
REQUESTS = ("negative_data_rejection", "ensure_resource_availability", "ignored_auth")
FILES = ("/train", "/predict", "/inspect")
"""No schema tells which bytes are a client file."""
EXAMPLES = os.environ.get("LOANAPP_FUZZ_EXAMPLES", "15")
SEED = os.environ.get("LOANAPP_FUZZ_SEED", "0")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", ["answers", "requests"])
def test_every_answer_is_as_the_document_says(
    two_versions_home: Path, copying: Callable[[Path, Path], Path], tmp_path: Path,
    program: Callable[..., AbstractContextManager[tuple[int, psutil.Process]]], part: str,
) -> None:  # fmt: skip
    """Schemathesis: examples, edge cases, random and wrong data, and calls that follow calls.

    Its files are too short to train on; a training that began all the same would be stopped.
    """
    home = copying(two_versions_home, tmp_path / "home")
    drawn, kept = make_token("fuzz", "admin")
    settings = {"training_time_limit_s": 20, "requests_per_s": 0}
    chosen = ["--checks", ",".join(ANSWERS)]
    if part == "requests":
        settings["api_tokens"] = kept.line  # type: ignore[assignment]
        chosen = ["--checks", ",".join(REQUESTS), "--header", f"Authorization: Bearer {drawn}"]
        chosen += [argument for path in FILES for argument in ("--exclude-path", path)]
    with program(home, "api", **settings) as (port, _):
        done = subprocess.run(
            [
                *(Path(sys.executable).with_name("schemathesis"), "run"),
                *(f"http://127.0.0.1:{port}/openapi.json", *chosen),
                *("--max-examples", EXAMPLES, "--seed", SEED, "--no-shrink"),
                *("--continue-on-failure", "--request-timeout", "120"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout
    assert "Tested: 1" in done.stdout
