"""Every text that a reader can meet stands in the French catalogue, and nothing else does."""

from __future__ import annotations

import json
import re
import string
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

import loanapp
from loanapp.i18n import LANGUAGES, catalogue
from loanapp.ui.navigation import pages_folder

KEYWORDS = {"_": None, "message": None, "Message": None}
TRANSLATED = [language for language in LANGUAGES if language != "en"]


def extracted() -> dict[str, str]:
    """The English texts of the code and the units of the contracts, with where they stand."""
    found = {}
    for folder in (Path(loanapp.__file__).parent, pages_folder()):
        texts = extract_from_dir(folder, [("**.py", "python")], keywords=KEYWORDS)
        for name, line, text, _comments, _context in texts:
            if isinstance(text, str) and text:
                found[text] = f"{name}:{line}"
    for contract in files("loanapp.core.data").joinpath("contracts").iterdir():
        for field in json.loads(contract.read_text("utf-8"))["fields"]:
            if any(letter.isalpha() and len(field["unit"]) > 2 for letter in field.get("unit", "")):
                found[field["unit"]] = f"{contract.name}: {field['name']}"
    return found


def gaps(text: str) -> set[str]:
    return {name for _before, name, _format, _conversion in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated(language):
    missing = {text: at for text, at in extracted().items() if text not in catalogue(language)}
    assert not missing


def test_no_text_hides_from_the_extraction():
    """A text marked inside an f-string is not found by every version of Python."""
    folders = Path(loanapp.__file__).parent, pages_folder()
    hidden = [
        f"{path}:{number}"
        for folder in folders
        for path in folder.rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if re.search(r"""\bf(["']).*\{(_|message)\(['"]""", line)
    ]
    assert not hidden


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_left_over(language):
    assert not set(catalogue(language)) - set(extracted())


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_has_the_gaps_of_its_text(language):
    differing = {
        text: translation
        for text, translation in catalogue(language).items()
        if gaps(text) != gaps(translation)
    }
    assert not differing


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_keeps_the_punctuation_that_ends_its_text(language):
    """A sentence that stops in one language and not in the other reads like a mistake."""
    ends = {
        text: translation
        for text, translation in catalogue(language).items()
        if (text[-1] in ".…:") != (translation[-1] in ".…:")
    }
    assert not ends


def test_french_texts_space_their_punctuation():
    """French sets a no-break space before : ; ? ! and inside « »."""
    wrong = [
        text
        for text in catalogue("fr").values()
        for place, letter in enumerate(text)
        if letter in ";?!»"
        and place
        and text[place - 1] not in "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
    ]
    assert not wrong
