"""The registry is read without MLflow exactly as MLflow has it, here and on a server."""

import sqlite3
import subprocess
import sys
import threading

import pytest
from werkzeug.serving import make_server

from loanapp.core.errors import StoreUnavailable, UnknownVersion
from loanapp.core.home import Home
from loanapp.core.store import backends
from loanapp.core.store.backends import RestBackend, SqliteBackend, make_backend
from loanapp.core.store.connection import connect
from loanapp.core.store.uri import tracking_uri


@pytest.fixture(scope="module")
def uri(two_versions_home, tmp_path_factory, copying):
    """A store of this module's own."""
    return tracking_uri(
        Home(copying(two_versions_home, tmp_path_factory.mktemp("own") / "h")), None
    )


@pytest.fixture(scope="module")
def mlflow_server(uri):
    """MLflow's own REST API over the same store, on a port of its own."""
    from mlflow.server import app
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(uri, uri)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["here", "on a server"])
def address(request, uri):
    """Where the same store is asked."""
    return uri if request.param == "here" else request.getfixturevalue("mlflow_server")


def test_champion_versions_and_tags_are_those_that_mlflow_has(uri, address, monkeypatch):
    monkeypatch.setattr(backends, "PAGE", 1)
    backend, client = make_backend(address, "loanapp"), connect(uri)
    model = client.get_registered_model("loanapp")
    assert backend.champion() == str(model.aliases["champion"]) == "2"
    assert backend.tags() == model.tags
    theirs = client.search_model_versions("name='loanapp'")
    ours = backend.versions()
    assert [v.version for v in ours] == ["2", "1"]
    for mine, other in zip(ours, sorted(theirs, key=lambda v: -int(v.version)), strict=True):
        assert mine.run_id == other.run_id
        assert mine.created_ms == other.creation_timestamp
        assert mine.tags == other.tags
    assert make_backend(address, "another").champion() is None


def test_what_is_written_is_what_mlflow_reads(uri, address):
    backend, key = make_backend(address, "loanapp"), f"moment.{address[:4]}"
    backend.set_champion("1", key, "why")
    model = connect(uri).get_registered_model("loanapp")
    assert str(model.aliases["champion"]) == "1"
    assert model.tags[key] == "why"
    with pytest.raises(UnknownVersion):
        backend.set_champion("9", "never", "why")
    backend.add_tag(f"{key}.too", "note")
    tags = connect(uri).get_registered_model("loanapp").tags
    assert tags[f"{key}.too"] == "note"
    assert "never" not in tags
    assert backend.champion() == "1"
    backend.set_champion("2", f"{key}.again", "why")


def test_the_history_here_is_append_only(two_versions_home, tmp_path, copying):
    local = tracking_uri(Home(copying(two_versions_home, tmp_path / "home")), None)
    backend = make_backend(local, "loanapp")
    key, value = min(backend.tags().items())
    with pytest.raises(StoreUnavailable):
        backend.set_champion("1", key, "another story")
    assert backend.tags()[key] == value
    assert backend.champion() == "2"


def test_where_nothing_was_trained_there_is_nothing_to_read(uri, tmp_path):
    for backend in (make_backend(uri, "another"), SqliteBackend(tmp_path / "none.db", "loanapp")):
        assert backend.champion() is None
        assert backend.versions() == []
        assert backend.tags() == {}


def test_a_database_that_is_no_database_is_said_to_be_unavailable(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreUnavailable):
        SqliteBackend(tmp_path / "mlflow.db", "loanapp").champion()


def test_a_server_that_does_not_answer_is_said_to_be_unavailable():
    with pytest.raises(StoreUnavailable):
        RestBackend("http://127.0.0.1:9", "loanapp").champion()


def test_a_deleted_version_is_not_listed(two_versions_home, tmp_path, copying):
    home = Home(copying(two_versions_home, tmp_path / "home"))
    local = tracking_uri(home, None)
    connect(local).delete_model_version("loanapp", "1")
    assert [v.version for v in make_backend(local, "loanapp").versions()] == ["2"]


def test_reading_while_somebody_writes_does_not_wait(two_versions_home, tmp_path, copying):
    home = Home(copying(two_versions_home, tmp_path / "home"))
    with sqlite3.connect(home.database, isolation_level=None) as database:
        database.execute("BEGIN IMMEDIATE")
        assert make_backend(tracking_uri(home, None), "loanapp").champion() == "2"
        database.execute("ROLLBACK")


def test_reading_imports_neither_mlflow_nor_pandas(uri):
    code = (
        "import sys; from loanapp.core.store.registry import Registry;"
        f"assert Registry({uri!r}, 'loanapp').versions();"
        "print(*{'mlflow', 'pandas', 'sklearn', 'tensorflow', 'keras'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
