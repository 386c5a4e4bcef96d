"""The swap: make a version serve on this machine, or leave everything as it was.

Order: the bundle lies whole beside the old one and has passed its own check; the alias, which is
the truth, changes; the pointer, its copy, follows. A crash between the two is mended by
`reconcile`, which believes the alias.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock

from loanapp.core.errors import InvalidBundle, message
from loanapp.core.home import PARTIAL, Home
from loanapp.core.model.bundle import PREPROCESSOR, Bundle
from loanapp.core.store.connection import connect, store_errors
from loanapp.core.store.pointer import ModelUri, Pointer, sync, write_atomically
from loanapp.core.store.proxy import bring
from loanapp.core.store.records import Action, ModelVersion
from loanapp.core.store.registry import Registry
from loanapp.core.store.tracking import BUNDLE_ARTIFACT

LOCK_TIMEOUT_S = 30

logger = logging.getLogger(__name__)


def promotion_lock(home: Home) -> FileLock:
    """Give the lock under which the champion is changed on this machine."""
    return FileLock(home.lock("promotion"), timeout=LOCK_TIMEOUT_S)


def promote(
    home: Home,
    registry: Registry,
    uri: str,
    model: ModelVersion,
    model_name: str,
    *,
    action: Action,
    author: str = "",
    reason: str = "",
) -> None:
    """Make a version serve, here and wherever the registry is followed.

    Raises
    ------
    InvalidBundle
        The version's scoring artefact is missing or does not pass its check. Nothing changed.
    StoreUnavailable
        The registry does not answer.
    """
    with store_errors(), promotion_lock(home):
        fetch_bundle(home, uri, model)
        registry.set_champion(model.version, action=action, author=author, reason=reason)
        _point(home, ModelUri(model_name, model.version))


def reconcile(home: Home, registry: Registry, model_name: str) -> ModelUri | None:
    """Make the pointer name what the alias names; gives that.

    Raises
    ------
    InvalidBundle
        The version's bundle is not on this machine, or broken: it has to be fetched.
    StoreUnavailable
        The registry does not answer.
    """
    with promotion_lock(home):
        champion = registry.champion()  # under the lock: nobody is just about to change it
        if champion is None:
            return None
        uri = ModelUri(model_name, champion)
        Bundle.load(home.bundle(champion))
        if Pointer(home.pointer).read() != uri:
            _point(home, uri)
            logger.info("pointer follows the alias", extra={"version": champion})
        return uri


def install_bundle(home: Home, folder: Path, version: str) -> None:
    """Put a finished bundle at its place, whole or not at all."""
    target = home.bundle(version)
    for file in folder.iterdir():
        sync(file)
    if target.exists():
        shutil.rmtree(target)
    folder.rename(target)
    sync(home.bundles)


def fetch_bundle(home: Home, uri: str, model: ModelVersion) -> Bundle:
    """Give a version's bundle, brought from the run's artefacts where it is not here, or broken.

    Only to be called under the promotion lock.

    Raises
    ------
    InvalidBundle
        The run has no bundle, or it does not pass its check.
    StoreUnavailable
        The run's artefacts cannot be had.
    """
    try:
        return Bundle.load(home.bundle(model.version))
    except InvalidBundle as error:
        logger.warning("bundle fetched anew", extra={"why": str(error)})
    if not bring_bundle(home, uri, model):
        with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=home.bundles) as folder:
            _install_sound(home, _download(uri, model, folder), model.version)
    return Bundle.load(home.bundle(model.version))


def bring_bundle(home: Home, uri: str, model: ModelVersion) -> bool:
    """Bring a version's bundle without MLflow, where MLflow's server hands it out.

    Only to be called under the promotion lock.

    Raises
    ------
    InvalidBundle
        It does not pass its check.
    StoreUnavailable
        The server does not answer.
    """
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=home.bundles) as folder:
        path = bring(uri, model.run_id, BUNDLE_ARTIFACT, Path(folder))
        if path is None:
            return False
        _install_sound(home, path, model.version)
        return True


def _install_sound(home: Home, folder: Path, version: str) -> None:
    Bundle.load(folder)
    install_bundle(home, folder, version)


def _download(uri: str, model: ModelVersion, folder: str) -> Path:
    """Bring a version's bundle with MLflow, which knows every kind of store."""
    with store_errors():
        client = connect(uri)
        if not model.run_id or not client.list_artifacts(model.run_id, BUNDLE_ARTIFACT):
            raise InvalidBundle(
                message("Version {version} has no scoring artefact.", version=model.version)
            )
        return Path(client.download_artifacts(model.run_id, BUNDLE_ARTIFACT, folder))


def _point(home: Home, uri: ModelUri) -> None:
    preprocessor = home.bundle(uri.version) / PREPROCESSOR
    if preprocessor.is_file():
        write_atomically(home.preprocessor, preprocessor.read_bytes())
    Pointer(home.pointer).write(uri)
