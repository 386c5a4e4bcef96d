"""Who may call which route: the one table."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.routing import compile_path

from loanapp.core.access import Role

ROLES: Mapping[str, Role | None] = {
    "GET /health": None,
    "GET /": "read",
    "GET /docs": "read",
    "GET /docs/files/{path:path}": "read",
    "GET /openapi.json": "read",
    "GET /ready": "read",
    "GET /schema": "read",
    "GET /metrics": "read",
    "GET /jobs": "read",
    "GET /jobs/{job_id}": "read",
    "GET /jobs/{job_id}/events": "read",
    "GET /models": "read",
    "GET /models/{version}": "read",
    "GET /history": "read",
    "POST /inspect": "predict",
    "POST /predict": "predict",
    "POST /train": "train",
    "DELETE /jobs/{job_id}": "train",
    "POST /models/rollback": "admin",
    "POST /models/{version}/promote": "admin",
}
"""What a route takes; None: nothing. One that is not named here is the administrator's alone."""

_PATTERNS = [
    (method, compile_path(path)[0], role)
    for (method, path), role in ((key.split(), role) for key, role in ROLES.items())
]


def role_for(method: str, path: str) -> Role | None:
    """Give the role that a request takes."""
    method = "GET" if method == "HEAD" else method
    for known, pattern, role in _PATTERNS:
        if known == method and pattern.match(path):
            return role
    return "admin"


def methods_of(path: str) -> list[str]:
    """Name the methods that an address takes."""
    own = [method for method, known in map(str.split, ROLES) if known == path]
    return sorted(own or {method for method, pattern, _ in _PATTERNS if pattern.match(path)})
