"""The published weaknesses of this kind of software, each tried, each without effect."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import pickle
import resource
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from loanapp.api.uploads import bare_name
from loanapp.core.data.export import write_table
from loanapp.core.errors import LoanappError, StoreUnavailable, UnknownJob, UnknownVersion
from loanapp.core.home import Home
from loanapp.core.service import Service
from loanapp.core.settings import Settings
from loanapp.core.store.backends import RestBackend
from loanapp.core.store.tracking import Tracking
from loanapp.core.store.uri import tracking_uri
from loanapp.core.transfer import with_amounts
from loanapp.ui.backend import choose_backend, set_local_service

CSV = {"Content-Type": "text/csv"}
UPWARDS = ("../decoy", "..", "../../etc/passwd", "..\\decoy", "/etc/passwd", "decoy\0", "~", ".")
Calling = Callable[..., AbstractContextManager[TestClient]]


# Path traversal by name


@pytest.mark.parametrize("name", UPWARDS)
def test_a_name_leads_nowhere_else(service: Service, name: str) -> None:
    """Jobs and versions are looked up by their names alone, whatever lies beside them."""
    decoy = service.home.path / "decoy"
    shutil.copytree(service.home.bundle("1"), decoy)
    shutil.copytree(next(service.home.jobs.glob("*/")), decoy, dirs_exist_ok=True)
    for call in (service.job, service.cancel):
        with pytest.raises(UnknownJob):
            call(name)
    for ask in (service.model, service.promote):
        with pytest.raises(UnknownVersion):
            ask(name)


@pytest.mark.parametrize("path", ["..%2Fdecoy", "%2e%2e", "..%5Cdecoy", "%2e%2e%2fdecoy%00"])
def test_an_encoded_path_leads_nowhere_else(api_client: TestClient, path: str) -> None:
    for method, place in (("GET", "/jobs/"), ("DELETE", "/jobs/"), ("GET", "/models/")):
        assert api_client.request(method, place + path).status_code == 404
    assert api_client.post(f"/models/{path}/promote").status_code == 404
    assert api_client.get(f"/docs/files/{path}").status_code == 404
    assert api_client.get("/docs/files/..%2f..%2f..%2fpyproject.toml").status_code == 404


@pytest.mark.parametrize("name", ["../../x.csv", "C:\\secret\\x.csv", "/etc/x.csv", "a/../x.csv"])
def test_a_file_name_has_no_folders(api_client: TestClient, clients_csv: bytes, name: str) -> None:
    assert bare_name(name) == "x.csv"
    sent = {"file": (name, clients_csv)}
    answer = api_client.post("/predict", files=sent, headers={"Accept": "text/csv"})
    assert answer.headers["content-disposition"].endswith("''x-predictions.csv")


# Pickle in an artefact


class Bomb:
    """Leaves a mark where it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


def test_no_pickle_in_an_artefact_is_loaded(
    home: Path, tmp_path: Path, make_settings: Callable[..., Settings], clients_csv: bytes
) -> None:
    """In a bundle whose hashes are right, and in MLflow's own model."""
    mark = tmp_path / "loaded"
    bomb = pickle.dumps(Bomb(mark))
    bundle = Home(home).bundle("1")
    objects = io.BytesIO()
    np.savez(objects, target=np.array([Bomb(mark)], dtype=object))
    (bundle / "model.npz").write_bytes(objects.getvalue())
    (bundle / "preprocessor.pkl").write_bytes(bomb)
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    for name in manifest["files"]:
        manifest["files"][name] = hashlib.sha256((bundle / name).read_bytes()).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    for artefact in Home(home).artifacts.rglob("*"):
        if artefact.suffix in (".pkl", ".skops") or artefact.name == "model.npz":
            artefact.write_bytes(bomb)
    with closing(Service(make_settings(home))) as service:
        for call in (
            service.health,
            lambda: service.predict(io.BytesIO(clients_csv)),
            lambda: service.promote("1"),
            lambda: service.model("1"),
        ):
            try:
                call()
            except LoanappError:
                continue
    assert not mark.exists()
    pickle.loads(bomb)
    assert mark.exists()


# Server-side request forgery


@contextmanager
def answering(status: int, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """Answer every request alike; gives the address and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_redirect_of_the_model_store_is_not_followed() -> None:
    with (
        answering(200) as (inside, reached),
        answering(302, Location=f"{inside}/x") as (url, asked),
    ):
        reader = RestBackend(url, "loanapp")
        for ask in (reader.champion, reader.versions, reader.tags):
            with pytest.raises(StoreUnavailable):
                ask()
    assert len(asked) == 3
    assert reached == []


def test_pages_call_no_address_that_the_settings_do_not_name(service: Service) -> None:
    set_local_service(service)
    try:
        for url in (
            "http://169.254.169.254",
            "file:///etc/passwd",
            "http://localhost:8000@evil.example",
        ):
            assert choose_backend(url) is service
    finally:
        set_local_service(None)


# Formula injection

FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1+1", "＝1+1", " =1+1", "\r=1")


def test_no_cell_that_comes_back_is_a_formula(api_client: TestClient, clients_csv: bytes) -> None:
    rows = list(csv.DictReader(io.StringIO(clients_csv.decode())))[: len(FORMULAS)]
    marked = [
        {**row, "prenom": f, "=HYPERLINK(1)": f} for row, f in zip(rows, FORMULAS, strict=True)
    ]
    sink = io.StringIO()
    writer = csv.DictWriter(sink, list(marked[0]))
    writer.writeheader()
    writer.writerows(marked)
    for excel in ("false", "true"):
        answer = api_client.post(
            f"/predict?excel={excel}",
            content=sink.getvalue().encode(),
            headers={"Accept": "text/csv", **CSV},
        )
        assert answer.status_code == 200
        for row in csv.reader(io.StringIO(answer.text), delimiter=";" if excel == "true" else ","):
            assert not [cell for cell in row if cell.strip()[:1] in tuple("=+-@＝")]


def test_no_cell_of_a_workbook_is_a_formula(service: Service, clients_csv: bytes) -> None:
    content = clients_csv.replace(b"Hugo,", b"=1+1,")
    assert content != clients_csv
    sink = io.BytesIO()
    write_table(with_amounts(service.predict(io.BytesIO(content)), interval=True), sink, "xlsx")
    cells = [c for row in openpyxl.load_workbook(sink).active.iter_rows() for c in row]
    assert "=1+1" in {cell.value for cell in cells}
    assert "f" not in {cell.data_type for cell in cells}


# Multipart bombs

EDGE = "xxEDGExx"


def parts(*bodies: str) -> bytes:
    return (
        "".join(f"--{EDGE}\r\n{body}\r\n" for body in bodies).encode() + f"--{EDGE}--\r\n".encode()
    )


def field(name: str, value: str = "x", file: str = "") -> str:
    of_file = f'; filename="{file}"' if file else ""
    return f'Content-Disposition: form-data; name="{name}"{of_file}\r\n\r\n{value}'


BOMBS = {
    "many fields": parts(*(field(f"f{n}") for n in range(20_000))),
    "many files": parts(*(field("file", "age", f"{n}.csv") for n in range(5_000))),
    "a huge field": parts(field("reason", "x" * 5_000_000)),
    "a huge part head": parts("X-A: " + "x" * 3_000_000 + "\r\n" + field("file", "age", "a.csv")),
    "many part heads": parts("X-A: x\r\n" * 200_000 + field("file", "age", "a.csv")),
    "no end": b"--" + EDGE.encode() + b"\r\n" + field("file", "age" * 1000, "a.csv").encode(),
    "no part": f"--{EDGE}--\r\n".encode(),
    "only edges": (f"--{EDGE}\r\n" * 50_000).encode(),
    "nothing": b"",
}


# Starlette leaves the file of a part that never ends to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_form_made_to_hurt_is_refused_at_once(api_client: TestClient, bomb: str) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={EDGE}"}
    began = time.monotonic()
    for path in ("/train", "/predict"):
        answer = api_client.post(path, content=BOMBS[bomb], headers=headers)
        assert answer.status_code in (400, 413, 422), answer.text[:200]
        assert answer.headers["content-type"] == "application/problem+json"
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "kind",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\xe9"],
)
def test_a_form_without_an_edge_is_refused(api_client: TestClient, kind: str) -> None:
    headers = {"Content-Type": kind.encode("latin-1")}
    assert api_client.post("/predict", content=b"x", headers=headers).status_code in (400, 422)  # type: ignore[arg-type]


# Injection by the model's name


@pytest.mark.parametrize("name", ["x' OR name LIKE '%", "../x", "a/b", "models:/x", "", "x\n", "é"])
def test_a_model_has_a_plain_name(
    tmp_path: Path, make_settings: Callable[..., Settings], name: str
) -> None:
    with pytest.raises(ValidationError):
        make_settings(tmp_path, model_name=name)


def test_a_folder_may_have_an_apostrophe(
    trained_home: Path, tmp_path: Path, copying: Callable[[Path, Path], Path]
) -> None:
    """What the operator names is no part of a query either."""
    home = Home(copying(trained_home, tmp_path / "l'agence d'été"))
    Tracking(home, tracking_uri(home, None), "loanapp").discard_interrupted()


# Decompression bombs

BOMB_MB = 300


def zipped(name: str, mb: int) -> bytes:
    sink = io.BytesIO()
    with (
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w") as part,
    ):
        for _ in range(mb):
            part.write(b"1,2,3\n" * 166_667)
    return sink.getvalue()


def sheet_bomb() -> bytes:
    """A workbook whose one sheet is far larger than its file."""
    sink = io.BytesIO()
    openpyxl.Workbook().save(sink)
    bomb = io.BytesIO()
    with zipfile.ZipFile(sink) as book, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as out:
        for name in book.namelist():
            content = book.read(name)
            if name == "xl/worksheets/sheet1.xml":
                row = b"<row><c><v>1</v></c></row>"
                content = content.replace(b"<sheetData", b"<sheetData>" + row * 8_000_000 + b"<x")
            out.writestr(name, content)
    return bomb.getvalue()


def column_bomb() -> bytes:
    """A Parquet file of a few kilobytes with a hundred million cells."""
    sink = io.BytesIO()
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000_000, np.int32)), ["x" * 100])
    pq.write_table(pa.table({f"c{n}": column for n in range(5)}), sink, compression="zstd")
    return sink.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: gzip.compress(b"1,2,3\n" * (BOMB_MB * 166_667)),
        lambda: zipped("a.csv", BOMB_MB),
        lambda: zipped("a.csv.gz", BOMB_MB),
        sheet_bomb,
        column_bomb,
    ],
    ids=["gzip", "zip", "zip in name of gzip", "xlsx", "parquet"],
)
def test_a_file_that_swells_is_refused_before_it_does(
    service: Service, calling: Calling, make: Callable[[], bytes]
) -> None:
    bomb = make()
    assert len(bomb) < 5_000_000
    with calling(service, max_decompressed_mb=20) as client:
        settings = service.settings
        service.settings = settings.model_copy(update={"max_decompressed_mb": 20})
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
        for path in ("/predict", "/inspect", "/train"):
            answer = client.post(path, files={"file": ("a", bomb)})
            assert answer.status_code in (413, 422) or not answer.json()["valid"], answer.text[:200]
        grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    assert time.monotonic() - began < 20
    assert grown_mb < 120
