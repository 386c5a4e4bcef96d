"""Categories as people write them: ``Oui``, ``1``, ``ile de france`` for ``Île-de-France``."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from loanapp.core.data.numerals import parse_numeral
from loanapp.core.data.schema import Field

_YES = frozenset({"oui", "o", "yes", "y", "true", "t", "vrai", "v", "1", "1.0"})
_NO = frozenset({"non", "n", "no", "false", "f", "faux", "0", "0.0"})
_IGNORED = re.compile(r"[\s\u200b\ufeff_\-‐‑‒–'’‘`´ʼ]+")
_DASHES = str.maketrans({"–": "-", "—": "-", "−": "-"})


@lru_cache(maxsize=4096)
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

    @staticmethod
    @lru_cache(maxsize=16)
    def of(marks: tuple[str, ...]) -> MissingMarks:
        """The marks of a contract, prepared once."""
        return MissingMarks(marks)

    def __contains__(self, text: str) -> bool:
        return _plain(text) in self._marks


def _plain(text: str) -> str:
    return text.strip().strip("\u200b\ufeff").strip().casefold().translate(_DASHES)


class CategoryReader:
    """Texts to the positions of the categories of one field.

    A spelling counts only where it fits exactly one category; the contract's own labels are
    spellings, and so are the usual yes and no where the field has a yes and a no.
    """

    def __init__(self, categories: tuple[str, ...], labels: tuple[tuple[str, ...], ...]) -> None:
        self._exact = {category: code for code, category in enumerate(categories)}
        own: defaultdict[str, set[int]] = defaultdict(set)
        named: defaultdict[str, set[int]] = defaultdict(set)
        for code, category in enumerate(categories):
            own[loose_key(category)].add(code)
            for label in labels[code]:
                named[loose_key(label)].add(code)
        spellings = {**named, **own}
        self._loose = {key: min(codes) for key, codes in spellings.items() if len(codes) == 1}
        for code, words in self._yes_and_no(categories):
            for word in words - spellings.keys():
                self._loose[word] = code

    @classmethod
    def of(cls, field: Field) -> CategoryReader:
        """The reader of a field, prepared once."""
        labels = (tuple(field.enum_labels.get(c, {}).values()) for c in field.enum)
        return _reader(field.enum, tuple(labels))

    @staticmethod
    def _yes_and_no(categories: tuple[str, ...]) -> tuple[tuple[int, frozenset[str]], ...]:
        keys = [loose_key(category) for category in categories]
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


_reader = lru_cache(maxsize=256)(CategoryReader)
