"""The image as an operator meets it: a running container, known by its published ports.

The environment says where: ``PORT_8000``, ``PORT_8501`` and ``PORT_5000`` on this host,
``CONTAINER`` and the ``PODMAN`` that runs it. The inside is reached only to kill programs and to
see who runs them.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import load_schema

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.load import Load

ENGINE, CONTAINER = os.environ["PODMAN"], os.environ["CONTAINER"]
API, UI, MLFLOW = (f"http://127.0.0.1:{os.environ[f'PORT_{n}']}" for n in (8000, 8501, 5000))
HEALTHY_WITHIN_S, BACK_WITHIN_S, STOPS_WITHIN_S = 20, 30, 30
USER = "10001"

schema = load_schema()
clients = sample_csv(schema, 50, seed=7, target=False)


def engine(*arguments: str, check: bool = True) -> str:
    """Call the container engine."""
    done = subprocess.run([ENGINE, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.strip()


def eventually(what: str, within_s: float, true: Callable[[], object]) -> float:
    """Wait until something is true; gives how long that took."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if true():
                return time.monotonic() - began
        assert time.monotonic() < began + within_s, f"{what}: not within {within_s} s"
        time.sleep(0.1)


def answers(url: str) -> bool:
    return httpx.get(url, timeout=5).status_code == 200


def healthy() -> bool:
    return answers(f"{API}/health") and answers(f"{UI}/_stcore/health")


def predict(url: str = API) -> list[float]:
    answer = httpx.post(f"{url}/predict", content=clients, timeout=60)
    assert answer.status_code == 200, answer.text
    amounts: list[float] = answer.json()["predictions"]
    return amounts


def train(rows: int, seed: int) -> str:
    file = sample_csv(schema, rows, seed=seed)
    answer = httpx.post(f"{API}/train", content=file, timeout=900)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["model_version"])


def nothing_is_writable_but_the_volume() -> None:
    assert engine("exec", CONTAINER, "id", "-u") == USER
    for place in ("/app", "/usr/local/bin", "/etc"):
        tried = f"touch {place}/written 2>/dev/null || echo refused"
        assert engine("exec", CONTAINER, "sh", "-c", tried) == "refused", place


def every_program_follows_a_training() -> None:
    version = train(1000, seed=1)
    seen = f"{UI}/api/health"
    eventually("the app follows", 2, lambda: httpx.get(seen).json()["model_version"] == version)
    assert predict(f"{UI}/api") == predict()
    assert answers(f"{MLFLOW}/health")


def clients_are_answered_during_a_training() -> None:
    waited = []
    trained = threading.Thread(target=train, args=(2000, 2))
    with Load(API, clients) as load:
        trained.start()
        while trained.is_alive():
            began = time.monotonic()
            assert answers(f"{API}/health")
            waited.append(time.monotonic() - began)
            time.sleep(0.2)
    assert load.lost == []
    usual = sorted(waited)[int(0.95 * len(waited))]
    print(f"  {load.answered} predictions beside a training, 95 % of /health within {usual:.2f} s")
    assert usual < 1


def a_killed_program_comes_back() -> None:
    expected = predict()
    for program, url in (("api", API), ("serve", UI), ("mlflow", MLFLOW)):
        before = processes(program)
        assert before, program
        engine("exec", CONTAINER, "sh", "-c", f"kill -9 {before[0]}")
        eventually("it is gone", 5, lambda p=program, b=before: b[0] not in processes(p))
        path = "/_stcore/health" if url == UI else "/health"
        took = eventually(program, BACK_WITHIN_S, lambda u=url + path: answers(u))
        print(f"  {program} was back after {took:.1f} s")
    assert predict() == expected


def processes(program: str) -> list[int]:
    """The processes of a program, the first one first."""
    listing = (
        "import psutil; print([p.pid for p in psutil.process_iter(['cmdline'])"
        f" if {program!r} in (p.info['cmdline'] or [])[1:5]])"
    )
    found: list[int] = json.loads(engine("exec", CONTAINER, "python", "-c", listing))
    return found


def a_restart_predicts_the_same() -> None:
    expected = predict()
    engine("restart", "-t", str(STOPS_WITHIN_S), CONTAINER)
    took = eventually("the container", HEALTHY_WITHIN_S, healthy)
    print(f"  healthy {took:.1f} s after its restart")
    eventually("the model", 5, lambda: answers(f"{API}/ready"))
    assert predict() == expected


def a_stop_under_load_loses_no_request() -> None:
    with Load(API, clients) as load:
        time.sleep(3)
        began = time.monotonic()
        engine("stop", "-t", str(STOPS_WITHIN_S), CONTAINER)
        took = time.monotonic() - began
    code = engine("inspect", "-f", "{{.State.ExitCode}}", CONTAINER)
    print(f"  stopped in {took:.1f} s with {load.answered} requests answered, exit code {code}")
    assert (load.lost, code) == ([], "0")
    assert took < STOPS_WITHIN_S
    engine("start", CONTAINER)
    eventually("the container", HEALTHY_WITHIN_S, healthy)


def its_output_is_json_line_by_line() -> None:
    done = subprocess.run([ENGINE, "logs", CONTAINER], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
    assert {"api", "ui"} <= {line["program"] for line in lines}
    assert all({"time", "level", "event"} <= set(line) for line in lines)


def any_worker_tells_the_metrics_of_all() -> None:
    served = {
        line
        for _ in range(10)
        for line in httpx.get(f"{API}/metrics").text.splitlines()
        if line.startswith("loanapp_predicted_rows_total")
    }
    assert len(served) == 1, served


def a_program_that_cannot_stay_up_ends_the_container() -> None:
    image = engine("inspect", "-f", "{{.Image}}", CONTAINER)
    hardened = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--network", "none")
    for name, wrong in (
        ("no worker", ("-e", "LOANAPP_API_WORKERS=0", "-v", "/data")),
        (
            "no volume",
            (
                "-e",
                "LOANAPP_HOME=/app",
            ),
        ),
    ):
        run = ["run", "--rm", "--pull=never", *hardened, *wrong, image]
        done = subprocess.run([ENGINE, *run], capture_output=True, check=False, timeout=90)
        assert done.returncode == 1, (name, done.returncode, done.stdout[-2000:])


def steps() -> Iterator[Callable[[], None]]:
    yield nothing_is_writable_but_the_volume
    yield every_program_follows_a_training
    yield any_worker_tells_the_metrics_of_all
    yield clients_are_answered_during_a_training
    yield a_killed_program_comes_back
    yield a_restart_predicts_the_same
    yield a_stop_under_load_loses_no_request
    yield its_output_is_json_line_by_line
    yield a_program_that_cannot_stay_up_ends_the_container


for step in steps():
    began = time.monotonic()
    step()
    print(f"{step.__name__.replace('_', ' ')}: {time.monotonic() - began:.1f} s", flush=True)
