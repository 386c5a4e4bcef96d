"""A real browser on a real server: ``loanapp serve`` as users start it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
REQUIRED = bool(os.environ.get("LOANAPP_REQUIRE_BROWSER"))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, NARROW = (1280, 900), (390, 800)
PATIENCE_MS = 150_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands here, and skip it where there is no browser."""
    here = Path(__file__).parent
    missing = not Path(CHROMIUM).exists()
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(400))
            if missing and not REQUIRED:
                item.add_marker(pytest.mark.skip(reason=f"no browser at {CHROMIUM}"))


class Server:
    """``loanapp serve`` in a process of its own, on an installation."""

    def __init__(self, home: Path, command: str = "serve", port: int = 0, **variables: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", port))
            self.port = free.getsockname()[1]
        self.home, self.command, self.variables = home, command, variables
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        """Start, and wait until it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "LOANAPP_HOME": str(self.home), **self.variables}
        command = [sys.executable, "-m", "loanapp", self.command, "--port", str(self.port)]
        with (self.home / f"{self.command}.txt").open("ab") as output:
            self.process = subprocess.Popen(
                command, env=environment, cwd=self.home, stdout=output, stderr=output
            )
        path = "/api/health" if self.command == "serve" else "/health"
        while self.process.poll() is None:
            try:
                if httpx.get(self.url + path).status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError((self.home / f"{self.command}.txt").read_text())

    def stop(self) -> None:
        """Stop as an operator does."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=60)
            self.process = None


@pytest.fixture
def serving() -> Iterator[Callable[..., Server]]:
    """Start servers that end with the test."""
    servers: list[Server] = []

    def serve(home: Path, command: str = "serve", port: int = 0, **variables: str) -> Server:
        servers.append(Server(home, command, port, **variables).start())
        return servers[-1]

    yield serve
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def shared(
    two_versions_home: Path,
    copying: Callable[[Path, Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """One server with two versions, for tests that change nothing."""
    server = Server(copying(two_versions_home, tmp_path_factory.mktemp("shared") / "home")).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The driver."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Debian's chromium."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield browser
    browser.close()


class Visitor:
    """Somebody at a browser, who finds things by the keys of the widgets."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        context.set_default_timeout(PATIENCE_MS)
        self.page: Page = context.new_page()
        self.url = url
        self.clicks = 0

    def goto(self, path: str = "") -> Visitor:
        """Open an address."""
        self.page.goto(f"{self.url}/{path}")
        return self.settle()

    def settle(self) -> Visitor:
        """Wait until the page has run and says so."""
        self.page.wait_for_selector("[data-testid=stMainBlockContainer] h1")
        self.page.wait_for_selector('[data-test-script-state="notRunning"]', state="attached")
        return self

    def click(self, key: str) -> Visitor:
        """Click a button."""
        self.clicks += 1
        self.page.locator(f".st-key-{key} button:visible").first.click()
        return self

    def upload(self, key: str, name: str, content: bytes) -> Visitor:
        """Choose a file: one click opens the dialog, the dialog does the rest."""
        self.clicks += 1
        self.page.locator(f".st-key-{key} input[type=file]").set_input_files(
            {"name": name, "mimeType": "text/csv", "buffer": content}
        )
        return self

    def menu(self, path: str) -> Visitor:
        """Follow a link of the menu, opening it first where the screen is narrow."""
        link = self.page.locator(f"[data-testid=stSidebarNav] a[href$='{path}']").first
        opener = self.page.locator("[data-testid=stExpandSidebarButton]")
        narrow = opener.is_visible()
        if narrow:
            opener.click()
        link.click()
        self.clicks += 1
        if narrow:
            self.page.wait_for_timeout(600)
            closer = self.page.locator("[data-testid=stSidebarCollapseButton] button")
            if self.page.locator("[data-testid=stSidebar][data-collapsed=false]").count():
                closer.click(force=True)
                self.page.wait_for_timeout(600)
        return self

    def sees(self, text: str) -> Visitor:
        """Wait until a text is on the page."""
        self.page.get_by_text(text).first.wait_for()
        return self

    def has(self, key: str) -> Visitor:
        """Wait until a widget is on the page."""
        self.page.locator(f".st-key-{key}").first.wait_for()
        return self

    def download(self, key: str) -> tuple[str, bytes]:
        """Click a download; its name and content."""
        with self.page.expect_download() as waiting:
            self.click(key)
        return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()

    def is_calm(self) -> Visitor:
        """Nobody is ever shown a traceback."""
        assert self.page.locator("[data-testid=stException]").count() == 0
        assert "Traceback" not in self.page.inner_text("body")
        return self


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Open a browser window of somebody's own."""
    contexts: list[BrowserContext] = []

    def open_window(
        url: str, *, locale: str = "fr-FR", size: tuple[int, int] = WIDE, dark: bool = False
    ) -> Visitor:
        contexts.append(
            browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                locale=locale,
                color_scheme="dark" if dark else "light",
                timezone_id="Europe/Paris",
            )
        )
        return Visitor(contexts[-1], url)

    yield open_window
    for context in contexts:
        context.close()
