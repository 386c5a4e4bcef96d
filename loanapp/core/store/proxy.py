"""A run's artefacts as MLflow's server hands them out, without importing MLflow.

So a server that follows a remote registry has a new champion in a second, not in ten.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from loanapp.core.store.backends import http_errors

PROXIED, PROXY = "mlflow-artifacts:", "/api/2.0/mlflow-artifacts/artifacts"
WAIT_S = 30.0


def address_of(uri: str, artifacts: str) -> str:
    """Give the address of a run's artefacts that others than MLflow can open too.

    Parameters
    ----------
    uri
        Of MLflow's store.
    artifacts
        Where MLflow says that they are.
    """
    if not artifacts.startswith(PROXIED):
        return artifacts
    server = urlsplit(uri)
    host = server.netloc.rpartition("@")[2]  # without the password in front of it
    return f"{server.scheme}://{host}{server.path.rstrip('/')}{PROXY}/{_place(artifacts)}"


def bring(uri: str, run_id: str, artifact: str, folder: Path) -> Path | None:
    """Bring the files of one of a run's artefacts.

    Returns
    -------
    Path or None
        Their folder, inside the one given; None where the server does not hand them out itself.

    Raises
    ------
    StoreUnavailable
        The server does not answer, or not as MLflow does.
    """
    if not run_id or not uri.startswith(("http://", "https://")):
        return None
    import httpx

    with http_errors(), httpx.Client(base_url=uri.rstrip("/"), timeout=WAIT_S) as client:
        run = client.get("/api/2.0/mlflow/runs/get", params={"run_id": run_id})
        artifacts: str = run.raise_for_status().json()["run"]["info"]["artifact_uri"]
        if not artifacts.startswith(PROXIED):
            return None
        place, target = f"{_place(artifacts)}/{artifact}", folder / artifact
        listing = client.get(PROXY, params={"path": place}).raise_for_status().json()
        files = [file["path"] for file in listing.get("files", []) if not file["is_dir"]]
        target.mkdir()
        for name in files:
            if PurePosixPath(name).name != name:
                raise ValueError(f"{name[:100]} is not a file's name")
            with client.stream("GET", f"{PROXY}/{place}/{name}") as answer:
                answer.raise_for_status()
                with (target / name).open("wb") as file:
                    file.writelines(answer.iter_bytes())
        return target if files else None


def _place(artifacts: str) -> str:
    return urlsplit(artifacts).path.lstrip("/")
