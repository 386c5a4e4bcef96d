"""The command line: results on standard output, sentences on standard error, codes that mean it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from loanapp.api.app import create_app
from loanapp.cli import app
from loanapp.core.answers import PREDICTION_COLUMNS
from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import Schema
from loanapp.core.errors import LoanappError
from loanapp.core.service import Service
from loanapp.terminal import EXIT_CODES, Terminal

ADDED = PREDICTION_COLUMNS["amounts"]


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command on an installation with one model."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("LOANAPP_HOME", str(home))
    monkeypatch.setenv("LOANAPP_LANGUAGE", "en")
    return lambda *arguments, **given: CliRunner().invoke(app, [*map(str, arguments)], **given)


@pytest.fixture
def file(tmp_path: Path, clients_csv: bytes) -> Path:
    path = tmp_path / "clients.csv"
    path.write_bytes(clients_csv)
    return path


def test_help_imports_nothing_heavy_and_explains_the_exit_codes() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "loanapp", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Exit codes: 0 done" in " ".join(done.stdout.split())
    for heavy in ("numpy", "pyarrow", "fastapi", "pydantic", "streamlit", "mlflow"):
        assert f"| {heavy}\n" not in done.stderr.replace("|   ", "| ").replace("  ", "")


@pytest.mark.slow
def test_train_says_what_came_of_it_and_the_model_serves(
    run: Callable[..., Result], tmp_path: Path, schema: Schema
) -> None:
    file = tmp_path / "new.csv"
    file.write_bytes(sample_csv(schema, 300, seed=6))
    result = run("train", file, "--json", "--author", "Ada", "--reason", "spring")
    assert result.exit_code == 0, result.output
    trained = json.loads(result.stdout)
    assert (trained["model_version"], trained["n_rows"], trained["promoted"]) == ("2", 300, True)
    assert trained["metrics"]["MAE"] > 0
    assert json.loads(run("health", "--json").stdout)["model_version"] == "2"
    newest, _ = json.loads(run("models", "list", "--json").stdout)
    assert (newest["version"], newest["author"], newest["reason"]) == ("2", "Ada", "spring")


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx"])
def test_predict_writes_the_file_with_the_amounts(
    run: Callable[..., Result], service: Service, file: Path, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"out{suffix}"
    result = run("predict", file, "-o", output)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    expected = service.predict(io.BytesIO(file.read_bytes())).amounts
    assert _amounts(output) == pytest.approx(expected.tolist(), abs=1e-6)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
@pytest.mark.soak
def test_a_file_of_two_million_clients_is_predicted_in_little_memory(
    home: Path, service: Service, clients_csv: bytes, tmp_path: Path
) -> None:
    head, _, rows = clients_csv.partition(b"\n")
    file, output = tmp_path / "many.csv", tmp_path / "amounts.csv"
    with file.open("wb") as sink:
        sink.write(head + b"\n")
        sink.writelines(rows for _ in range(10_000))
    code = """
import atexit, re
from pathlib import Path
@atexit.register
def tell_peak():  # not what `resource` knows: that counts the parent's memory before the exec
    print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
from loanapp.cli import app
app()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "predict", file, "-o", output],
        env={**os.environ, "LOANAPP_HOME": str(home)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) < 400
    amounts = service.predict(io.BytesIO(clients_csv)).amounts
    with output.open(encoding="utf-8") as lines:
        last = [float(row[ADDED]) for row in csv.DictReader(lines)][-200:]
    assert last == pytest.approx(amounts.tolist(), abs=1e-3)


def test_predict_reads_and_writes_pipes(run: Callable[..., Result], clients_csv: bytes) -> None:
    result = run("predict", "-", input=clients_csv)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(result.stdout_bytes.decode("utf-8-sig"))))
    assert len(rows) == 200
    assert float(rows[0][ADDED]) > 0


def test_a_refused_file_is_a_table_of_problems_and_code_3(
    run: Callable[..., Result], file: Path, clients_csv: bytes, tmp_path: Path
) -> None:
    file.write_bytes(clients_csv.replace(b"oui", b"peut-etre", 2))
    refused = run("predict", file, "-o", tmp_path / "out.csv")
    assert refused.exit_code == 3
    assert "peut-etre" in refused.stderr
    assert "Traceback" not in refused.output
    assert not (tmp_path / "out.csv").exists()
    for_scripts = json.loads(run("predict", file, "-o", tmp_path / "out.csv", "--json").stdout)
    assert for_scripts["error"] == "invalid-table"
    assert [problem["value"] for problem in for_scripts["problems"]] == ["peut-etre"] * 2


def test_refused_rows_can_be_left_out_and_kept(
    run: Callable[..., Result], file: Path, clients_csv: bytes, tmp_path: Path
) -> None:
    file.write_bytes(clients_csv.replace(b"oui", b"peut-etre", 1))
    output, rejected = tmp_path / "out.csv", tmp_path / "refused.csv"
    result = run("predict", file, "-o", output, "--skip-invalid", "--rejected", rejected)
    assert result.exit_code == 0, result.output
    assert len(_rows(output)) == 200
    assert [row[ADDED] for row in _rows(output)].count("") == 1
    (refused,) = _rows(rejected)
    assert "peut-etre" in refused.values()


def test_a_hostile_cell_cannot_steer_the_terminal(
    run: Callable[..., Result], file: Path, clients_csv: bytes
) -> None:
    file.write_bytes(clients_csv.replace(b"oui", b"[red]\x1b[2J", 1))
    refused = run("predict", file)
    assert refused.exit_code == 3
    assert "\x1b[2J" not in refused.stderr
    assert "[red]" in refused.stderr


def test_samples_are_seeded_and_can_be_trained_on(
    run: Callable[..., Result], tmp_path: Path, schema: Schema
) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    for path in (first, second):
        assert run("sample", "-n", 30, "-o", path, "--seed", 4).exit_code == 0
    assert first.read_bytes() == second.read_bytes()
    assert len(_rows(first)) == 30
    assert schema.target.name in _rows(first)[0]
    to_stdout = run("sample", "-n", 3, "--no-target").stdout
    assert schema.target.name not in to_stdout
    assert len(to_stdout.splitlines()) == 4


def test_versions_are_listed_promoted_and_rolled_back(
    two_versions_home: Path,
    tmp_path: Path,
    copying: Callable[[Path, Path], Path],
    run: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = copying(two_versions_home, tmp_path / "twice")
    monkeypatch.setenv("LOANAPP_HOME", str(home))
    listed = run("models", "list")
    assert listed.exit_code == 0
    assert "MAE" in listed.stdout
    assert run("models", "rollback", "--reason", "it drifts").exit_code == 0
    assert json.loads(run("health", "--json").stdout)["model_version"] == "1"
    assert run("models", "promote", "2").exit_code == 0
    history = json.loads(run("models", "history", "--json").stdout)
    assert [entry["action"] for entry in history[:2]] == ["promote", "rollback"]
    assert history[1]["reason"] == "it drifts"
    assert run("models", "promote", "99").exit_code == 4


def test_without_a_model_health_and_predict_end_with_4(
    run: Callable[..., Result], tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOANAPP_HOME", str(tmp_path / "empty"))
    assert run("health").exit_code == 4
    assert run("predict", file).exit_code == 4


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["predict", "no-such-file.csv"], 2),
        (["predict", "FILE", "-o", "out.pdf"], 2),
        (["predict", "FILE", "-o", "no/such/folder/out.csv"], 2),
        (["predict", "FILE", "--json"], 2),
        (["train", "FILE"], 3),
        (["jobs", "follow", "none"], 4),
        (["jobs", "cancel", "none"], 4),
        (["health", "--url", "http://127.0.0.1:1"], 7),
        (["api", "--host", "192.0.2.1"], 8),
        (["nonsense"], 2),
    ],
)
def test_every_failure_has_its_code_and_no_traceback(
    run: Callable[..., Result], file: Path, arguments: list[str], code: int
) -> None:
    result = run(*(str(file) if a == "FILE" else a for a in arguments))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    said = result.stdout if "--json" in arguments else result.stderr
    assert said.strip()


@pytest.mark.parametrize("variable", ["LOANAPP_MAX_UPLOAD_MB", "LOANAPP_SCHEMA"])
def test_settings_that_cannot_be_used_are_named(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "nonsense.json")
    result = run("health")
    assert result.exit_code == 8
    assert "nonsense" in result.stderr or "max_upload_mb" in result.stderr.lower()


def test_every_error_has_an_exit_code() -> None:
    kinds = {kind for kind in LoanappError.__subclasses__() if "core.errors" in kind.__module__}
    assert kinds <= set(EXIT_CODES)
    assert set(EXIT_CODES.values()) <= {2, 3, 4, 5, 6, 7, 8, 9}
    assert Terminal.exit_code(LoanappError("new")) == 8


def test_a_remote_api_serves_the_same_commands(
    run: Callable[..., Result],
    service: Service,
    listening: Callable[..., AbstractContextManager[str]],
    file: Path,
    tmp_path: Path,
) -> None:
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"
    with listening(create_app(service, service.settings)) as url:
        assert run("predict", file, "-o", there, "--url", url).exit_code == 0
        assert json.loads(run("health", "--json", "--url", url).stdout)["model_version"] == "1"
    assert run("predict", file, "-o", here).exit_code == 0
    assert here.read_bytes() == there.read_bytes()


def test_texts_come_in_the_language_asked_for(run: Callable[..., Result]) -> None:
    assert "Lignes" in run("models", "list", "--lang", "fr").stdout
    assert "Rows" in run("models", "list", "--lang", "en").stdout


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))


def _amounts(path: Path) -> list[float]:
    if path.suffix == ".csv":
        return [float(row[ADDED]) for row in _rows(path)]
    if path.suffix == ".parquet":
        return [float(x) for x in pq.read_table(path).column(ADDED).to_pylist()]
    header, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
    return [float(row[header.index(ADDED)]) for row in rows]
