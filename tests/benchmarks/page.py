"""Seconds from `loanapp serve` to Home in a browser, and from a click to 10,000 predictions.

    python tests/benchmarks/page.py                 trains on invented clients first
    python tests/benchmarks/page.py --home FOLDER   on an installation that has a model

Each is measured so many times (--times) with a new server and a new window; prints the median and
the slowest. Needs Debian's chromium.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2]))

from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import load_schema
from tests.browser.conftest import CHROMIUM, FLAGS, Server, Visitor

ROWS = 10_000


def measure(home: Path, clients: bytes) -> tuple[float, float]:
    """Seconds to Home and to the predictions, with a server and a window of their own."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(locale="fr-FR")
        server = Server(home)
        begun = time.perf_counter()
        server.start()
        try:
            visitor = Visitor(context, server.url).goto()
            shown = time.perf_counter() - begun
            visitor.goto("predict").upload("predict_file", "clients.csv", clients)
            visitor.has("predict").settle()
            begun = time.perf_counter()
            visitor.click("predict").has("download_csv").settle()
            return shown, time.perf_counter() - begun
        finally:
            server.stop()
            browser.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    clients = sample_csv(load_schema(), ROWS, seed=2, target=False)
    with tempfile.TemporaryDirectory(prefix="loanapp-") as folder:
        home = options.home or Path(folder)
        if not options.home:
            training = home / "training.csv"
            training.write_bytes(sample_csv(load_schema(), 2_000, seed=1))
            command = [sys.executable, "-m", "loanapp", "train", str(training)]
            environment = {**os.environ, "LOANAPP_HOME": str(home)}
            subprocess.run(command, env=environment, check=True, capture_output=True)
        taken = [measure(home, clients) for _ in range(options.times)]
    for name, seconds in zip(
        ("from start to Home", f"from click to {ROWS:,} predictions"),
        zip(*taken, strict=True),
        strict=True,
    ):
        print(f"{name:36}{statistics.median(seconds):>8.2f} s{max(seconds):>8.2f} s")


if __name__ == "__main__":
    main()
