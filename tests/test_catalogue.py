"""Every text that a reader can meet stands in the French catalogue, and nothing else does."""

from __future__ import annotations

import ast
import json
import string
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

import loanapp
from loanapp.i18n import LANGUAGES, catalogue
from loanapp.ui.navigation import pages_folder

MARKS = {"_", "message", "Message"}
TRANSLATED = [language for language in LANGUAGES if language != "en"]


def extracted() -> dict[str, str]:
    """The English texts of the code and the units of the contracts, with where they stand."""
    found = {}
    for folder in (Path(loanapp.__file__).parent, pages_folder()):
        for path in folder.rglob("*.py"):
            for text, line in marked(ast.parse(path.read_text("utf-8"))):
                found[text] = f"{path.relative_to(folder.parent)}:{line}"
    for contract in files("loanapp.core.data").joinpath("contracts").iterdir():
        for field in json.loads(contract.read_text("utf-8"))["fields"]:
            if any(letter.isalpha() and len(field["unit"]) > 2 for letter in field.get("unit", "")):
                found[field["unit"]] = f"{contract.name}: {field['name']}"
    return found


def marked(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """The texts that a module marks, by themselves or through a name."""
    named: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    named.setdefault(target.id, []).append(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and name_of(node.func) in MARKS:
            first = node.args[0]
            values = named.get(first.id, []) if isinstance(first, ast.Name) else [first]
            for value in values:
                yield from ((text, node.lineno) for text in texts_of(value))


def name_of(function: ast.expr) -> str | None:
    return getattr(function, "id", None) or getattr(function, "attr", None)


def texts_of(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from texts_of(value.body)
        yield from texts_of(value.orelse)


def gaps(text: str) -> set[str]:
    return {name for _before, name, _format, _conversion in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated(language):
    missing = {text: at for text, at in extracted().items() if text not in catalogue(language)}
    assert not missing


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
