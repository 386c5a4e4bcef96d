"""Which names this server answers to, and which pages may send it something.

A page of a stranger can make its visitor's browser call this machine: by a name that it lets point
here (DNS rebinding), or with a form that CORS does not stop. The browser tells both: in `Host`, and
in `Origin` and `Sec-Fetch-Site`.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import Scope

from loanapp.core.errors import message
from loanapp.web.peers import address_of, own_name
from loanapp.web.refusal import RequestRefused

READING = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?P<name>[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?", re.ASCII)


def check_host(scope: Scope, allowed: Collection[str]) -> None:
    """Refuse a request for a name that is not this server's.

    Parameters
    ----------
    allowed
        Names without ports, beside those of this machine. The address that the connection came
        to is one too: rebinding needs a name.

    Raises
    ------
    RequestRefused
    """
    given = Headers(scope=scope).getlist("host")
    named = _split(given[0], "http") if len(given) == 1 else None
    if named is None or not (named[0] in LOOPBACK or named[0] in (*allowed, _own(scope))):
        raise RequestRefused(
            421,
            message(
                "This server does not answer to this name. If it is its own, add it to"
                " LOANAPP_ALLOWED_HOSTS."
            ),
        )


def check_origin(scope: Scope) -> None:
    """Refuse what a page from elsewhere sends.

    Such a page gets nothing at all where it names itself; where it does not, it may read, as a
    link does. Raises RequestRefused.
    """
    headers = Headers(scope=scope)
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    foreign = origin is not None and not _same(origin, headers.get("host", ""))
    writes = scope.get("method", "GET") not in READING or scope["type"] == "websocket"
    if foreign or (writes and site is not None and site not in OWN_SITES):
        raise RequestRefused(403, message("A page from elsewhere may not send this."))


def _own(scope: Scope) -> str | None:
    """The address that the connection came to, or the name of a call inside this process."""
    server = scope.get("server")
    address = address_of(str(server[0])) if server else None
    if address is None:
        return own_name(scope)
    return f"[{address}]" if address.version == 6 else str(address)


def _same(origin: str, host: str) -> bool:
    scheme, _, place = origin.partition("://")
    wanted = _split(host, scheme)
    return scheme in PORTS and wanted is not None and _split(place, scheme) == wanted


def _split(host: str, scheme: str) -> tuple[str, int] | None:
    """Take a host and its port apart; None where it is neither."""
    found = _HOST.fullmatch(host)
    if not found:
        return None
    port = int(found["port"]) if found["port"] else PORTS.get(scheme, 0)
    return found["name"].lower().removesuffix("."), port
