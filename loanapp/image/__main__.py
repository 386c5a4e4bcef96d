"""``python -m loanapp.image``: what the Dockerfile and supervisord.conf call.

``run`` is the container's first process; ``listen`` is supervisord's listener, which ends the
container when a program cannot stay up; ``check`` is the image's HEALTHCHECK; ``migrate`` makes the
empty database that a fresh volume starts with. Standard library only, but for ``migrate``.
"""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Callable

from loanapp.image.first import listen, run

CHECKED = ("http://127.0.0.1:8000/health", "http://127.0.0.1:8501/_stcore/health")
CHECK_TIMEOUT_S = 4


def check(*addresses: str) -> int:
    """Tell whether the API and the app answer, or what else is named."""
    for address in addresses or CHECKED:
        try:
            with urllib.request.urlopen(address, timeout=CHECK_TIMEOUT_S) as answer:  # noqa: S310
                if answer.status != 200:
                    return 1
        except OSError:
            return 1
    return 0


def migrate() -> int:
    """Make MLflow's empty database, so that a fresh volume need not wait for it."""
    from loanapp.core.home import Home
    from loanapp.core.settings import Settings
    from loanapp.core.store.connection import connect
    from loanapp.core.store.uri import tracking_uri

    home = Home(Settings().home)
    home.path.mkdir(parents=True, exist_ok=True)
    connect(tracking_uri(home, None)).search_experiments(max_results=1)
    return 0


COMMANDS: dict[str, Callable[..., int]] = {
    "run": run, "listen": listen, "check": check, "migrate": migrate,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(COMMANDS[sys.argv[1]](*sys.argv[2:]))
