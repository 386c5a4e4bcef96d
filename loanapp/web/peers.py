"""Where a request comes from."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import Scope

IN_PROCESS = "testclient"  # what Starlette's test client has in place of an address


def peer(scope: Scope) -> str:
    """Give the address of whoever sent a request; empty where it is not known."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def from_this_machine(scope: Scope) -> bool:
    """Whether a request comes from this machine, or from this very process."""
    address = address_of(peer(scope))
    return address.is_loopback if address else peer(scope) == IN_PROCESS


def own_name(scope: Scope) -> str | None:
    """Give the name that a request inside this process calls its server by, such as `testserver`.

    A server that listens knows itself by an address, so nobody on a network can have this.
    """
    server = scope.get("server")
    name = str(server[0]).lower() if server else ""
    return name if name.isidentifier() else None


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, an IPv4 one in IPv6's form as what it is; None: it is a name."""
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
