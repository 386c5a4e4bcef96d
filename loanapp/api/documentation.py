"""The API's documentation for a browser: Swagger UI from our own server, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import as_file, files

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

FILES = "/docs/files"
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def install(app: FastAPI) -> None:
    """Add the documentation to an app; its front door leads there."""
    with as_file(files("fastapi_offline").joinpath("static")) as folder:
        app.mount(FILES, StaticFiles(directory=folder))
    app.add_api_route("/", _front_door, include_in_schema=False)
    app.add_api_route("/docs", _page, include_in_schema=False)


async def _front_door(request: Request) -> RedirectResponse:
    return RedirectResponse(_root(request) + "/docs")


async def _page(request: Request) -> HTMLResponse:
    root = _root(request)
    page = get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title="Loanapp",
        swagger_js_url=f"{root}{FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{FILES}/swagger-ui.css",
        swagger_favicon_url=f"{root}{FILES}/favicon.png",
        swagger_ui_parameters={"validatorUrl": None},
    )
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body))
    return page


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


def _policy(page: bytes) -> str:
    """Let the page run its own script and those of this server, and no other."""
    digests = (hashlib.sha256(script).digest() for script in _SCRIPT.findall(page))
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
