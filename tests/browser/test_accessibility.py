"""axe-core finds no serious or critical violation on any page, in either theme."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from conftest import NARROW, WIDE

AXE = "axe-core@4.14.1"
RUN = """async () => {
  const found = await axe.run(document, {resultTypes: ['violations']});
  return found.violations
    .filter(v => ['serious', 'critical'].includes(v.impact))
    .map(v => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.html).join(' | ')}`);
}"""


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Source of axe-core, from the npm registry or a file named by ``AXE_CORE``."""
    given = os.environ.get("AXE_CORE")
    if given:
        return Path(given).read_text("utf-8")
    if not shutil.which("npm"):
        pytest.skip("axe-core comes by npm, which is not installed")
    folder = tmp_path_factory.mktemp("axe")
    packed = subprocess.run(["npm", "pack", AXE, "--silent"], cwd=folder, capture_output=True)
    if packed.returncode:
        pytest.skip("the npm registry cannot be reached")
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member
        return member.read().decode()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_no_page_has_a_serious_violation(shared, visit, axe, clients_csv, dark, size):
    visitor = visit(shared.url, dark=dark, size=size)
    found = {}
    refused = clients_csv.replace(b".", b"x")
    for path in ("", "train", "predict", "predict?refused", "simulate", "models", "settings"):
        visitor.goto(path)
        if path == "predict?refused":
            visitor.upload("predict_file", "c.csv", refused)
            visitor.page.locator("[data-testid=stTable]").first.wait_for()
        if path == "train":
            visitor.click("train_sample").has("train")
            visitor.page.locator(".st-key-choices summary").click()
        if path == "predict":
            visitor.upload("predict_file", "c.csv", clients_csv).has("predict").click("predict")
            visitor.has("download_csv")
        visitor.settle().page.evaluate(axe)
        found[path or "home"] = visitor.page.evaluate(RUN)
    assert not any(found.values()), found


def test_the_page_says_its_language_to_a_screen_reader(shared, visit):
    french, english = visit(shared.url), visit(shared.url, locale="en-GB")
    french.goto().page.wait_for_function("document.documentElement.lang === 'fr'")
    english.goto().page.wait_for_function("document.documentElement.lang === 'en'")


def test_the_model_can_be_used_with_the_keyboard_alone(shared, visit):
    visitor = visit(shared.url).goto()
    visitor.page.locator(".st-key-next_predict button").focus()
    visitor.page.keyboard.press("Enter")
    visitor.has("predict_sample").page.locator(".st-key-predict_sample button").focus()
    visitor.page.keyboard.press("Enter")
    visitor.has("predict").page.locator(".st-key-predict button").focus()
    visitor.page.keyboard.press("Enter")
    visitor.has("download_csv").is_calm()
