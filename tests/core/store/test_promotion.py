"""A version serves whole or not at all; the alias is the truth, and everything follows it."""

import hashlib
import io
import json
import pickle
import shutil

import numpy as np
import pytest

from loanapp.core.errors import InvalidBundle, UnknownVersion
from loanapp.core.home import Home
from loanapp.core.service import Service
from loanapp.core.store.follower import Follower
from loanapp.core.store.pointer import ModelUri, Pointer
from loanapp.core.store.promotion import reconcile
from loanapp.core.store.registry import Registry, live_at, previous_champion
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
    assert service.rollback(reason="too bold").version == "1"
    assert service.history()[0].action == "rollback"


def test_history_answers_which_version_was_live_when(service):
    history = service.history()
    first, second = history[-1], history[0]
    assert live_at(history, first.at).version == "1"
    assert live_at(history, second.at).version == "2"
    assert live_at(history, first.at.replace(year=1999)) is None


def test_there_is_nothing_before_the_first_version(service):
    first = service.history()[-1:]
    with pytest.raises(UnknownVersion):
        previous_champion(first, "1")


def test_an_unknown_version_is_not_promoted(home, service):
    with pytest.raises(UnknownVersion):
        service.promote("7")
    assert Pointer(home.pointer).read() == ModelUri("loanapp", "2")


def test_an_alias_set_elsewhere_is_followed(home, service):
    assert service.health().model_version == "2"
    client = Registry(tracking_uri(home, None), "loanapp")._client
    client.set_registered_model_alias("loanapp", "champion", "1")
    Follower(home, tracking_uri(home, None), "loanapp", 1).step()
    assert Pointer(home.pointer).read() == ModelUri("loanapp", "1")
    assert service.health().model_version == "1"


def test_a_pointer_that_disagrees_with_the_alias_gives_way(home):
    Pointer(home.pointer).write(ModelUri("loanapp", "1"))
    assert reconcile(home, "2", "loanapp")
    assert Pointer(home.pointer).read() == ModelUri("loanapp", "2")


def test_a_bundle_that_is_not_here_is_brought_from_the_store(home):
    shutil.rmtree(home.bundle("1"))
    assert not reconcile(home, "1", "loanapp")
    follower = Follower(home, tracking_uri(home, None), "loanapp", 1)
    follower._fetch("1")
    assert reconcile(home, "1", "loanapp")


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


def test_a_pickle_in_an_artefact_is_never_run(home, service, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    assert service.health().model_version == "2"
    folder = home.bundle("1")
    with np.load(folder / "model.npz") as arrays:
        kept = dict(arrays)
    kept["network.linear"] = np.array([Bomb()], object)
    np.savez(folder / "model.npz", **kept)
    (folder / "preprocessor.pkl").write_bytes(pickle.dumps(Bomb()))
    told = json.loads((folder / "manifest.json").read_text())
    for name in ("model.npz", "preprocessor.pkl"):
        told["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(told))
    Pointer(home.pointer).write(ModelUri("loanapp", "1"))
    assert service.health().model_version == "2"
    assert not (tmp_path / "exploded").exists()


def test_a_broken_bundle_is_brought_anew_when_its_version_is_promoted(home, service):
    (home.bundle("1") / "model.npz").write_bytes(b"")
    assert service.promote("1").version == "1"
    assert service.health().model_version == "1"


def test_a_version_without_a_bundle_cannot_be_promoted(home, service):
    client = Registry(tracking_uri(home, None), "loanapp")._client
    run = client.create_run(client.get_experiment_by_name("loanapp").experiment_id)
    client.create_model_version("loanapp", str(home.path), run_id=run.info.run_id)
    with pytest.raises(InvalidBundle, match="3"):
        service.promote("3")
    assert service.health().model_version == "2"
