"""A version serves whole or not at all; the alias is the truth, and everything follows it."""

import hashlib
import io
import json
import pickle
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from loanapp.core.errors import InvalidBundle, StoreUnavailable, UnknownVersion
from loanapp.core.home import Home
from loanapp.core.model.bundle import Bundle
from loanapp.core.service import Service
from loanapp.core.store.connection import connect
from loanapp.core.store.follower import Follower
from loanapp.core.store.history import live_at
from loanapp.core.store.pointer import ModelUri, Pointer
from loanapp.core.store.registry import Registry
from loanapp.core.store.uri import tracking_uri


@pytest.fixture
def home(two_versions_home, tmp_path, copying):
    return Home(copying(two_versions_home, tmp_path / "home"))


@pytest.fixture
def service(home, make_settings):
    service = Service(make_settings(home.path, alias_check_s=60))
    yield service
    service.close()


def test_a_promotion_changes_alias_pointer_preprocessor_and_history(home, service):
    promoted = service.promote("1", author="Camille", reason="steadier")
    assert promoted.champion
    assert Pointer(home.pointer).read() == ModelUri("loanapp", "1")
    assert Registry(tracking_uri(home, None), "loanapp").champion() == "1"
    expected = (home.bundle("1") / "preprocessor.pkl").read_bytes()
    assert home.preprocessor.read_bytes() == expected
    newest = service.history()[0]
    assert (newest.version, newest.previous, newest.action) == ("1", "2", "promote")
    assert (newest.author, newest.reason) == ("Camille", "steadier")
    assert service.health().model_version == "1"


def test_a_rollback_goes_to_the_version_that_served_before(service):
    assert service.rollback(author="Camille", reason="too bold").version == "1"
    newest = service.history()[0]
    assert (newest.action, newest.author, newest.reason) == ("rollback", "Camille", "too bold")
    with pytest.raises(UnknownVersion, match="no earlier version"):
        service.rollback()
    assert service.health().model_version == "1"


def test_history_answers_which_version_was_live_when(service):
    history = service.history()
    first, second = history[-1], history[0]
    assert live_at(history, first.at).version == "1"
    assert live_at(history, second.at).version == "2"
    assert live_at(history, first.at.replace(year=1999)) is None
    for entry in history:
        model = next(m for m in service.models() if m.version == entry.version)
        assert (entry.data_hash, entry.metrics) == (model.data_hash, model.metrics)
        assert len(entry.data_hash) == 64


def test_an_unknown_version_is_not_promoted(home, service):
    with pytest.raises(UnknownVersion):
        service.promote("7")
    assert Pointer(home.pointer).read() == ModelUri("loanapp", "2")


def follower_of(home):
    return Follower(home, tracking_uri(home, None), "loanapp", 1)


def set_alias(home, version):
    """Move the alias as MLflow's own interface does."""
    client = connect(tracking_uri(home, None))
    client.set_registered_model_alias("loanapp", "champion", version)


def test_an_alias_set_elsewhere_is_followed_and_written_in_the_history(home, service):
    assert service.health().model_version == "2"
    set_alias(home, "1")
    one, another = follower_of(home), follower_of(home)
    for _ in range(3):
        one.step()
        another.step()
    assert Pointer(home.pointer).read() == ModelUri("loanapp", "1")
    assert service.health().model_version == "1"
    moved, *before = service.history()
    assert (moved.version, moved.previous, moved.action) == ("1", "2", "reconcile")
    assert [entry.action for entry in before] == ["train", "train"]
    assert service.rollback().version == "2"


def test_a_move_elsewhere_is_on_record_before_the_next_promotion(home, service):
    set_alias(home, "1")
    service.promote("2")
    assert [entry.action for entry in service.history()[:2]] == ["promote", "reconcile"]


@pytest.mark.parametrize("line", ["models:/loanapp/1\n", "models:/other/2\n", "nonsense", None])
def test_a_pointer_that_disagrees_with_the_alias_gives_way(home, line):
    if line is None:
        home.pointer.unlink()
    else:
        home.pointer.write_text(line)
    follower_of(home).step()
    assert Pointer(home.pointer).read() == ModelUri("loanapp", "2")


def test_alias_and_history_change_together_or_not_at_all(home, service):
    with sqlite3.connect(home.database) as database:
        database.execute(
            "CREATE TRIGGER no_history BEFORE INSERT ON registered_model_tags"
            " BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    with pytest.raises(StoreUnavailable):
        service.promote("1")
    assert Registry(tracking_uri(home, None), "loanapp").champion() == "2"
    assert Pointer(home.pointer).read() == ModelUri("loanapp", "2")


def test_a_promotion_imports_no_mlflow(home):
    code = (
        "import sys; from pathlib import Path\n"
        "from loanapp.core.service import Service; from loanapp.core.settings import Settings\n"
        f"service = Service(Settings(home=Path({str(home.path)!r}), _env_file=None))\n"
        "service.promote('1'), service.rollback(), service.promote('2'), service.close()\n"
        "print(*{'mlflow', 'sqlalchemy', 'pandas', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def run_of(home, version):
    """Give the folder of a version's bundle among its run's artefacts."""
    run = Registry(tracking_uri(home, None), "loanapp").version(version).run_id
    return home.artifacts / run / "artifacts" / "bundle"


@pytest.mark.parametrize("harm", ["gone", pytest.param("cut", marks=pytest.mark.slow)])
def test_a_fresh_start_brings_a_broken_champion_anew_from_its_run(
    home, make_settings, harm, clients_csv
):
    before = Service(make_settings(home.path))
    expected = before.predict(io.BytesIO(clients_csv)).amounts
    before.close()
    if harm == "gone":
        shutil.rmtree(home.bundle("2"))
    else:
        (home.bundle("2") / "model.npz").write_bytes(b"cut")
    service = Service(make_settings(home.path))
    deadline = time.monotonic() + 60
    while service.health().status != "ok" and time.monotonic() < deadline:
        time.sleep(0.1)
    told = service.predict(io.BytesIO(clients_csv))
    assert told.model_version == "2"
    np.testing.assert_array_equal(told.amounts, expected)
    service.close()


@pytest.mark.slow
def test_a_champion_that_is_broken_everywhere_is_refused_and_said_to_be(home, service):
    assert service.health().model_version == "2"
    for folder in (home.bundle("1"), run_of(home, "1")):
        (folder / "model.npz").write_bytes(b"cut")
    set_alias(home, "1")
    follower = follower_of(home)
    follower.step()
    assert "model.npz" in str(follower.error)
    assert Pointer(home.pointer).read() == ModelUri("loanapp", "2")
    assert service.health().model_version == "2"


@pytest.mark.parametrize("harm", ["cut", "changed", "missing", "foreign", "traversal"])
def test_a_harmed_bundle_is_refused_and_the_old_one_serves_on(home, service, harm, clients_csv):
    before = service.predict(io.BytesIO(clients_csv))
    folder = home.bundle("1")
    arrays, manifest = folder / "model.npz", folder / "manifest.json"
    if harm == "cut":
        arrays.write_bytes(arrays.read_bytes()[:1000])
    elif harm == "changed":
        content = bytearray(arrays.read_bytes())
        content[len(content) // 2] ^= 1
        arrays.write_bytes(bytes(content))
    elif harm == "missing":
        manifest.unlink()
    elif harm == "foreign":
        manifest.write_text("{}")
    else:
        told = json.loads(manifest.read_text())
        told["files"]["../../../mlflow.db"] = told["files"].pop("model.npz")
        manifest.write_text(json.dumps(told))
    Pointer(home.pointer).write(ModelUri("loanapp", "1"))
    health = service.health()
    assert health.model_version == "2"
    assert health.status == "degraded"
    assert health.reload_error is not None
    after = service.predict(io.BytesIO(clients_csv))
    assert (after.amounts == before.amounts).all()
    assert after.model_version == "2"


def reseal(folder, name, content):
    """Change a file of a bundle, and the manifest so that it agrees."""
    (folder / name).write_bytes(content)
    told = json.loads((folder / "manifest.json").read_text())
    told["files"][name] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(told))


def spoil(document, rng):
    """Replace something somewhere in a JSON document."""
    while True:
        keys = list(document) if isinstance(document, dict) else range(len(document))
        key = rng.choice(list(keys))
        if not isinstance(document[key], dict | list) or not document[key] or rng.random() < 0.3:
            document[key] = rng.choice([None, -1, 1e308, "x", [], {}, [[]], True, 2**70])
            return
        document = document[key]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_foreign_bundle_is_refused_whatever_is_in_it(two_versions_home, tmp_path):
    """One whose manifest agrees with its files is loaded, or refused: nothing else."""
    refused = 0
    for seed in range(60):
        folder = Path(shutil.copytree(Home(two_versions_home).bundle("1"), tmp_path / str(seed)))
        rng = random.Random(seed)
        if seed % 2:
            with np.load(folder / "model.npz") as stored:
                arrays = dict(stored)
            name = rng.choice(list(arrays))
            arrays[name] = rng.choice([np.array("x"), np.zeros(0), np.zeros((2, 3))])
            sink = io.BytesIO()
            np.savez(sink, **arrays)
            reseal(folder, "model.npz", sink.getvalue())
        else:
            document = json.loads((folder / "contract.json").read_text())
            spoil(document, rng)
            reseal(folder, "contract.json", json.dumps(document).encode())
        try:
            Bundle.load(folder)
        except InvalidBundle:
            refused += 1
    assert refused > 30


def test_a_pickle_in_an_artefact_is_never_run(home, service, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    assert service.health().model_version == "2"
    folder = home.bundle("1")
    with np.load(folder / "model.npz") as arrays:
        kept = dict(arrays)
    kept["network.linear"] = np.array([Bomb()], object)
    sink = io.BytesIO()
    np.savez(sink, **kept)
    reseal(folder, "model.npz", sink.getvalue())
    reseal(folder, "preprocessor.pkl", pickle.dumps(Bomb()))
    Pointer(home.pointer).write(ModelUri("loanapp", "1"))
    assert service.health().model_version == "2"
    assert not (tmp_path / "exploded").exists()


def test_a_broken_bundle_is_brought_anew_when_its_version_is_promoted(home, service):
    (home.bundle("1") / "model.npz").write_bytes(b"")
    assert service.promote("1").version == "1"
    assert service.health().model_version == "1"


def test_a_version_without_a_bundle_cannot_be_promoted(home, service):
    client = connect(tracking_uri(home, None))
    run = client.create_run(client.get_experiment_by_name("loanapp").experiment_id)
    client.create_model_version("loanapp", str(home.path), run_id=run.info.run_id)
    with pytest.raises(InvalidBundle, match="3"):
        service.promote("3")
    assert service.health().model_version == "2"
