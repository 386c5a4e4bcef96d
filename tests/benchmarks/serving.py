"""Serving beside `mlflow models serve`: the model of one training, one server after the other.

    python tests/benchmarks/serving.py                 invented clients
    python tests/benchmarks/serving.py clients.csv     trained on a file
    python tests/benchmarks/serving.py --rows 1000000  how many the command line gets
    python tests/benchmarks/serving.py --training      also while a training runs
    python tests/benchmarks/serving.py --notebook      also beside a notebook's model

Prints start to first prediction, memory (PSS of all processes), p50 and p99 of one client, rows a
second in bulk, and how near the bulk comes to its limit: the slowest of parse, arithmetic and
write, each alone in a process of its own. All ratios are of one run. The model that MLflow serves
is ours and scores as ours does, without Keras; a notebook's (`notebook.py`) is a scikit-learn
pipeline around Keras' own `predict`.
"""

import argparse
import asyncio
import http.client
import io
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

LOANAPP = [sys.executable, "-m", "loanapp"]
BULK_ROWS, ONE_CLIENT, WARM = 100_000, 800, 20
JSON = {"Content-Type": "application/json"}
PARTS = """
import io, json, os, sys, time
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np, orjson, pyarrow.csv
from pathlib import Path
from loanapp.core.data.table import read_table
from loanapp.core.model.bundle import Bundle
folder, file = map(Path, sys.argv[1:])
bundle, content = Bundle.load(folder), file.read_bytes()
data = read_table(io.BytesIO(content), bundle.schema, required=bundle.features).data
amounts = bundle.score(data).median()
def best(call):
    def once():
        begun = time.perf_counter(); call(); return time.perf_counter() - begun
    return min(once() for _ in range(7))
parts = {
    "parse": best(lambda: pyarrow.csv.read_csv(io.BytesIO(content))),
    "arithmetic": best(lambda: bundle.score(data).median()),
    "write": best(lambda: orjson.dumps(amounts, option=orjson.OPT_SERIALIZE_NUMPY)),
}
try:
    import onnxruntime
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    columns = {}
    for column in session.get_inputs():
        cells = data[column.name].to_pylist()
        columns[column.name] = (np.array(cells, np.float64) if column.type == "tensor(double)"
                                else np.array([cell or "" for cell in cells], object))
    parts["onnxruntime"] = best(lambda: session.run(["prediction"], columns))
except ImportError:
    pass
print(json.dumps(parts))
"""


@contextmanager
def serving(command: list[str], home: Path, port: int) -> Iterator[psutil.Process]:
    """Run a server; all its processes end with it."""
    # mlflow starts uvicorn by its bare name.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "LOANAPP_HOME": str(home), "PATH": path}
    with (home / f"server-{port}.txt").open("wb") as output:
        started = subprocess.Popen(
            command, env=environment, cwd=home, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield psutil.Process(started.pid)
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        started.wait(30)


def until_first(process: psutil.Process, url: str, body: bytes, begun: float) -> float:
    """Ask until there is a prediction; gives the seconds since the start."""
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        try:
            if httpx.post(url, content=body, headers=JSON, timeout=60).status_code == 200:
                return time.perf_counter() - begun
        except httpx.TransportError:
            time.sleep(0.02)
    raise RuntimeError("the server ended before it answered")


def memory_mb(process: psutil.Process) -> float:
    """Memory of a process and its children, shared pages counted once."""
    family = [process, *process.children(recursive=True)]
    return sum(p.memory_full_info().pss for p in family) / 1e6


def latencies(url: str, body: bytes, at_once: int, requests: int) -> tuple[float, float]:
    """p50 and p99 of one client's request, in ms, with so many connections under way at once.

    The client writes bytes and reads bytes: an HTTP library would take longer than the server.
    """
    place = urlsplit(url)
    head = (
        f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body

    async def connection(times: int) -> list[float]:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        taken = []
        for _ in range(WARM + times):
            begun = time.perf_counter()
            writer.write(request)
            answered = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", answered)
            assert answered.startswith(b"HTTP/1.1 200"), answered
            assert length, answered
            await reader.readexactly(int(length[1]))
            taken.append((time.perf_counter() - begun) * 1000)
        writer.close()
        return taken[WARM:]

    async def measure() -> list[list[float]]:
        return await asyncio.gather(*(connection(requests // at_once) for _ in range(at_once)))

    taken = [ms for each in asyncio.run(measure()) for ms in each]
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


def rows_per_second(send: Callable[[], Any], rows: int, times: int) -> float:
    """The best of some times: whatever else the machine does only slows it."""

    def once() -> float:
        begun = time.perf_counter()
        send()
        return time.perf_counter() - begun

    return rows / min(once() for _ in range(times))


def post(url: str, content: bytes, kind: str = "text/csv") -> bytes:
    """Send a file and take the whole answer."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=600)
    connection.request("POST", place.path, content, {"Content-Type": kind})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == 200, content
    return content


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def measure(
    command: list[str], path: str, home: Path, one: bytes, bulk: bytes, kind: str, times: int
) -> dict[str, float]:
    """Everything about one server."""
    port = free_port()
    url = f"http://127.0.0.1:{port}{path}"
    print(" ".join(command[2:5]), "…", file=sys.stderr)
    begun = time.perf_counter()
    with serving([*command, "--port", str(port)], home, port) as process:
        found = {"start to first prediction, s": until_first(process, url, one, begun)}
        for at_once in (1, 16):
            p50, p99 = latencies(url, one, at_once, ONE_CLIENT)
            found[f"one client, {at_once} at once: p50, ms"] = p50
            found[f"one client, {at_once} at once: p99, ms"] = p99
        found["memory, MB"] = memory_mb(process)
        sent = rows_per_second(lambda: post(url, bulk, kind), BULK_ROWS, times)
        found["bulk through REST, rows/s"] = sent
    print(found, file=sys.stderr)
    return found


@contextmanager
def mlflow_store(home: Path) -> Iterator[None]:
    """MLflow's own programs find the store by this variable."""
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{home / 'mlflow.db'}"
    try:
        yield
    finally:
        del os.environ["MLFLOW_TRACKING_URI"]


def through_mlflow(model: str, home: Path, one: bytes, bulk: bytes) -> dict[str, float]:
    """Everything about `mlflow models serve` with a registered model."""
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{model}/1",
               "--env-manager", "local", "--host", "127.0.0.1"]  # fmt: skip
    with mlflow_store(home):
        return measure(command, "/invocations", home, one, bulk, "text/csv", 2)


def training_beside(home: Path, one: bytes, file: Path) -> tuple[float, float]:
    """p99 of one client idle, and while a training runs, in ms."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/predict"
    with serving([*LOANAPP, "api", "--port", str(port)], home, port) as process:
        until_first(process, url, one, time.perf_counter())
        _, idle = latencies(url, one, 1, ONE_CLIENT)
        environment = {**os.environ, "LOANAPP_HOME": str(home)}
        command = [*LOANAPP, "train", str(file), "--force", "--promotion", "manual"]
        training = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL)  # fmt: skip
        busy: list[float] = []
        while training.poll() is None:
            busy.append(latencies(url, one, 1, ONE_CLIENT)[1])
    return idle, statistics.median(busy)


def command_line(home: Path, head: bytes, rows: bytes, count: int) -> tuple[float, float]:
    """Rows a second and the most memory, in MB, of `loanapp predict` on a file."""
    source, output = home / "many.csv", home / "amounts.csv"
    with source.open("wb") as sink:
        sink.write(head + b"\n")
        sink.writelines(rows for _ in range(count // BULK_ROWS))
    environment = {**os.environ, "LOANAPP_HOME": str(home)}
    begun = time.perf_counter()
    started = subprocess.Popen(
        [*LOANAPP, "predict", str(source), "-o", str(output)],
        env=environment, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(started.pid, 0)
    taken = time.perf_counter() - begun
    assert os.waitstatus_to_exitcode(status) == 0
    with output.open("rb") as lines:
        assert sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b"")) > count
    return count / taken, used.ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", help="clients with their amounts")
    parser.add_argument("--rows", type=int, default=1_000_000, help="for the command line")
    parser.add_argument("--training", action="store_true", help="also while a training runs")
    parser.add_argument("--notebook", action="store_true", help="also beside a notebook's model")
    options = parser.parse_args()
    from loanapp.core.data.samples import sample_clients, sample_csv
    from loanapp.core.data.schema import load_schema

    schema = load_schema()
    with tempfile.TemporaryDirectory(prefix="loanapp-") as folder:
        home = Path(folder)
        training = options.file or home / "training.csv"
        if not options.file:
            training.write_bytes(sample_csv(schema, 2_000, seed=1))
        environment = {**os.environ, "LOANAPP_HOME": str(home)}
        subprocess.run([*LOANAPP, "train", str(training.absolute())], env=environment, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        frame = sample_clients(schema, BULK_ROWS, seed=2, target=False)
        names = [f.name for f in schema.features()]
        first = {name: frame[name][0].as_py() for name in names}
        csv = sample_csv(schema, BULK_ROWS, seed=2, target=False)
        sink = io.BytesIO()
        frame.select(names).to_pandas().to_csv(sink, index=False)
        ours = measure(
            [*LOANAPP, "api"], "/predict", home,
            json.dumps({"clients": [first]}).encode(), csv, "text/csv", 7,
        )  # fmt: skip
        head, _, rows = csv.partition(b"\n")
        speed, memory = command_line(home, head, rows, options.rows)
        bundle, file = home / "models" / "bundles" / "1", home / "bulk.csv"
        file.write_bytes(csv)
        alone = subprocess.run([sys.executable, "-c", PARTS, str(bundle), str(file)], check=True,
                               stdout=subprocess.PIPE, text=True)  # fmt: skip
        record = json.dumps({"dataframe_records": [first]}).encode()
        theirs = {"mlflow": through_mlflow("loanapp", home, record, sink.getvalue())}
        if options.notebook:
            with mlflow_store(home):
                script, columns = Path(__file__).with_name("notebook.py"), ",".join(names)
                command = [sys.executable, script, training.absolute(), columns, schema.target.name]
                subprocess.run(command, cwd=home, check=True, stdout=sys.stderr)
            theirs["notebook"] = through_mlflow("notebook", home, record, sink.getvalue())
        beside = training_beside(
            home, json.dumps({"clients": [first]}).encode(), training.absolute()
        ) if options.training else None  # fmt: skip
    by_file = f"command line, {options.rows:,} rows, rows/s"
    ours[by_file] = speed
    for found in theirs.values():
        found[by_file] = found["bulk through REST, rows/s"]
    print(f"{'':44}{'loanapp':>12}" + "".join(f"{name:>12}{'ratio':>9}" for name in theirs))
    for name, value in ours.items():
        print(f"{name:44}{value:>12,.1f}", end="")
        for found in theirs.values():
            better = value / found[name] if name.endswith("/s") else found[name] / value
            print(f"{found[name]:>12,.1f}{better:>8.1f}×", end="")
        print()
    print(f"{'command line, most memory, MB':44}{memory:>12,.0f}")
    parts = {part: BULK_ROWS / seconds for part, seconds in json.loads(alone.stdout).items()}
    for part, value in parts.items():
        print(f"{part + ' alone, rows/s':44}{value:>12,.0f}")
    limit = min(parts[part] for part in ("parse", "arithmetic", "write"))
    share = ours["bulk through REST, rows/s"] / limit
    print(f"{'bulk through REST, share of the limit':44}{share:>12.0%}")
    if beside:
        idle, busy = beside
        print(f"{'one client, p99 idle and in a training, ms':44}{idle:>12.1f}{busy:>12.1f}"
              f"{busy / idle:>8.1f}×")  # fmt: skip


if __name__ == "__main__":
    main()
