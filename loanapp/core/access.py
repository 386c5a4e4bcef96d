"""Who may do what: roles, and the tokens that stand for them.

A token is known by its SHA-256 alone; it is 256 random bits, so a plain hash is enough. Its line
is ``name:role:sha256``, one for each token.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

Role = Literal["read", "predict", "train", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do what those before it may."""

PREFIX = "loanapp_"  # for those who search files for forgotten secrets
_LINE = re.compile(r"(?P<name>[\w.@-]{1,64}):(?P<role>\w+):(?P<digest>[0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, and what they may do.

    Parameters
    ----------
    name
        What stands in the history; empty: nobody was asked.
    role
        What they may do.
    """

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether this role reaches as far as another."""
        return ROLES.index(self.role) >= ROLES.index(role)


ANYBODY = Identity("", "admin")
"""Whoever calls where nobody is asked who they are."""


@dataclass(frozen=True, slots=True)
class Token:
    """Whom a token stands for, and its SHA-256 as hexadecimal digits."""

    identity: Identity
    digest: str = field(repr=False)

    @property
    def line(self) -> str:
        """The token as `parse_tokens` reads it."""
        return f"{self.identity.name}:{self.identity.role}:{self.digest}"


def parse_tokens(text: str) -> tuple[Token, ...]:
    """Read tokens: lines or, on one line, parts with commas between; ``#`` begins a remark.

    Raises
    ------
    ValueError
        A line is not ``name:role:sha256``, or a name stands twice.
    """
    lines = [line.partition("#")[0] for line in text.splitlines()]
    parts = [part.strip() for line in lines for part in line.split(",")]
    tokens = tuple(_token(part, number) for number, part in enumerate(filter(None, parts), 1))
    if len({token.identity.name for token in tokens}) < len(tokens):
        raise ValueError("a name stands twice")
    return tokens


def _token(part: str, number: int) -> Token:
    found = _LINE.fullmatch(part)
    if not found or found["role"] not in ROLES:
        raise ValueError(
            f"token {number} is not name:role:sha256, the role one of {', '.join(ROLES)}"
        )
    return Token(Identity(found["name"], cast(Role, found["role"])), found["digest"].lower())


def make_token(name: str, role: Role) -> tuple[str, Token]:
    """Draw a token, and give it with what is kept of it. Raises ValueError for a bad name."""
    drawn = PREFIX + secrets.token_urlsafe(32)
    return drawn, _token(f"{name}:{role}:{_digest(drawn)}", 1)


def identify(tokens: Iterable[Token], given: str) -> Identity | None:
    """Tell whose token this is, in a time that does not depend on how much of it is right."""
    digest, found = _digest(given), None
    for token in tokens:
        if hmac.compare_digest(token.digest, digest):
            found = token.identity
    return found


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
