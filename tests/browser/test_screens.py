"""Every page in both languages, both themes and both widths; and the README's pictures.

With ``LOANAPP_SCREENSHOTS=1`` the pictures are written to ``screenshots/``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import NARROW, WIDE, Visitor

FOLDER = Path(__file__).parent / "screenshots"
WRITE = bool(os.environ.get("LOANAPP_SCREENSHOTS"))
TALLEST = 2200


def whole(visitor: Visitor) -> bytes:
    """Make a picture of the whole page, not only of what fits on the screen."""
    page = visitor.settle().page
    size = page.viewport_size
    assert size
    height = page.locator("[data-testid=stMainBlockContainer]").bounding_box()
    assert height
    tall = {"width": size["width"], "height": int(min(TALLEST, max(700, height["height"])))}
    page.set_viewport_size(tall)  # type: ignore[arg-type]
    page.wait_for_timeout(800)
    picture = page.screenshot()
    page.set_viewport_size(size)
    return picture


@pytest.mark.parametrize(
    ("locale", "size", "dark"),
    [("fr-FR", WIDE, False), ("en-GB", WIDE, True), ("fr-FR", NARROW, True)],
)
def test_nothing_is_cut_off_at_the_side(shared, visit, locale, size, dark):
    visitor = visit(shared.url, locale=locale, size=size, dark=dark)
    for path in ("", "train", "predict", "simulate", "models", "settings"):
        visitor.goto(path)
        if path == "predict":
            visitor.click("predict_sample").has("predict").click("predict").has("download_csv")
        if path == "train":
            visitor.click("train_sample").has("train")
        picture = whole(visitor)
        wider = visitor.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wider <= 0, path
        if WRITE and size == WIDE and not dark and path != "settings":
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / f"{path or 'home'}.png").write_bytes(picture)
