"""The pages as a session runs them, on a real service or on its REST client."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from loanapp.api.app import create_app
from loanapp.core.service import Service
from loanapp.core.settings import Settings
from loanapp.ui import backend
from loanapp.ui.navigation import ENTRY, page_path

PATIENCE_S = 120
CALM = ("Un imprévu s’est produit", "Something unexpected happened")


class Session:
    """One browser's session: it goes from page to page and finds widgets by their keys."""

    def __init__(self, locale: str = "fr-FR", remote: str | None = None) -> None:
        self.test = AppTest.from_file(ENTRY, default_timeout=60)
        self.test.context = {"locale": locale, "timezone": "Europe/Paris"}
        self.may_fail = False
        if remote:
            self.test.session_state["kept_remote"] = remote

    def run(self) -> Session:
        """Run the page again; nothing that a user sees is ever a traceback."""
        self.test.run()
        assert not self.test.exception
        assert self.may_fail or not any(calm in self.texts for calm in CALM)
        return self

    def open(self, page: str) -> Session:
        """Go to a page."""
        self.test.switch_page(os.path.relpath(page_path(page), ENTRY.parent))
        return self.run()

    def click(self, key: str) -> Session:
        """Click a button."""
        self.test.button(key=key).click()
        return self.run()

    def upload(self, key: str, name: str, content: bytes) -> Session:
        """Choose a file."""
        self.test.file_uploader(key=key).upload(name, content)
        return self.run()

    def has(self, key: str) -> bool:
        """Whether a button is there."""
        return any(button.key == key for button in self.test.button)

    @property
    def title(self) -> str:
        """The page's title."""
        (title,) = self.test.title
        return title.value

    @property
    def texts(self) -> str:
        """Everything that the page says."""
        test = self.test
        kinds = (
            test.title, test.header, test.markdown, test.caption, test.error, test.warning,
            test.info, test.success, test.toast,
        )  # fmt: skip
        labels = [f"{m.label} {m.value}" for m in test.metric]
        return "\n".join([*(str(e.value) for kind in kinds for e in kind), *labels])

    def wait_for(self, key: str) -> Session:
        """Let time pass until a button is there, as the page does by itself."""
        until = time.monotonic() + PATIENCE_S
        while not self.has(key):
            assert time.monotonic() < until, self.texts
            time.sleep(0.3)
            self.run()
        return self


@pytest.fixture(autouse=True)
def no_caches() -> Iterator[None]:
    """Every test asks the service anew."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()
    backend.set_local_service(None)


@pytest.fixture
def visiting() -> Callable[..., Session]:
    """Open the pages on a service."""

    def visit(service: Service, **choices: str) -> Session:
        backend.set_local_service(service)
        return Session(**choices)

    return visit


@pytest.fixture(scope="session")
def reading(trained_home: Path, make_settings: Callable[..., Settings]) -> Iterator[Service]:
    """A service with one model, for tests that change nothing."""
    with closing(Service(make_settings(trained_home))) as service:
        yield service


@pytest.fixture
def session(reading: Service, visiting: Callable[..., Session]) -> Session:
    """A French session on a service with one model, for tests that change nothing."""
    return visiting(reading)


@pytest.fixture(params=["embedded", "remote"])
def any_session(
    request: pytest.FixtureRequest,
    reading: Service,
    visiting: Callable[..., Session],
    listening: Callable[..., AbstractContextManager[str]],
    make_settings: Callable[..., Settings],
    tmp_path: Path,
) -> Iterator[Session]:
    """The same in this process, and behind its REST API."""
    if request.param == "embedded":
        yield visiting(reading)
        return
    with listening(create_app(reading, reading.settings)) as url:
        own = make_settings(tmp_path / "other", remote_urls=(url,))
        with closing(Service(own)) as other:
            yield visiting(other, remote=url)
            backend._remote(url).close()
            backend._remote.cache_clear()


@pytest.fixture
def empty_session(empty_service: Service, visiting: Callable[..., Session]) -> Session:
    """A French session on a service without a model."""
    return visiting(empty_service)
