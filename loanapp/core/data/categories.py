"""Categories as people write them: ``Oui``, ``1``, ``ile de france`` for ``Île-de-France``."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from loanapp.core.data.numerals import parse_numeral
from loanapp.core.data.schema import Field

_YES = frozenset({"oui", "o", "yes", "y", "true", "t", "vrai", "v", "1", "1.0"})
_NO = frozenset({"non", "n", "no", "false", "f", "faux", "0", "0.0"})
_IGNORED = re.compile(r"[\s\u200b\ufeff_\-‐‑‒–'’‘`´ʼ]+")
_DASHES = str.maketrans({"–": "-", "—": "-", "−": "-"})


def loose_key(text: str) -> str:
    """What is left of a text without case, accents, blanks, hyphens and apostrophes.

    Examples
    --------
    >>> loose_key("Île-de-France") == loose_key(" ILE DE FRANCE ")
    True
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _IGNORED.sub("", letters)


class MissingMarks:
    """The texts that stand for a missing cell, whatever their case.

    Attributes
    ----------
    holds_numbers
        Whether a number, such as -99, is among them.
    """

    def __init__(self, marks: Iterable[str]) -> None:
        self._marks = {_plain(mark) for mark in marks} | {""}
        self.holds_numbers = any(map(parse_numeral, self._marks))

    def __contains__(self, text: str) -> bool:
        return _plain(text) in self._marks


def _plain(text: str) -> str:
    return text.strip().strip("\u200b\ufeff").strip().casefold().translate(_DASHES)


class CategoryReader:
    """Texts to the positions of the categories of one field.

    A spelling counts only where it fits exactly one category; the contract's own labels are
    spellings, and so are the usual yes and no where the field has a yes and a no.
    """

    def __init__(self, field: Field) -> None:
        self._exact = {category: code for code, category in enumerate(field.enum)}
        spellings: defaultdict[str, set[int]] = defaultdict(set)
        for code, category in enumerate(field.enum):
            for text in (category, *field.enum_labels.get(category, {}).values()):
                spellings[loose_key(text)].add(code)
        for key in list(spellings):
            own = {c for c, category in enumerate(field.enum) if loose_key(category) == key}
            spellings[key] = own or spellings[key]
        self._loose = {key: min(codes) for key, codes in spellings.items() if len(codes) == 1}
        for code, words in self._yes_and_no(field):
            for word in words:
                self._loose.setdefault(word, code)

    @staticmethod
    def _yes_and_no(field: Field) -> tuple[tuple[int, frozenset[str]], ...]:
        keys = [loose_key(category) for category in field.enum]
        if len(keys) != 2:
            return ()
        if keys[0] in _YES and keys[1] in _NO:
            return ((0, _YES), (1, _NO))
        if keys[0] in _NO and keys[1] in _YES:
            return ((0, _NO), (1, _YES))
        return ()

    def read(self, text: str) -> tuple[int, bool]:
        """Position of the category (-1: none), and whether it is spelled as in the contract."""
        code = self._exact.get(text)
        if code is not None:
            return code, True
        return self._loose.get(loose_key(text), -1), False
