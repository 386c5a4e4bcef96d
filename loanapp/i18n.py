"""Texts, numbers and dates in the reader's language.

English sentences are the keys; ``locales/<language>/LC_MESSAGES/loanapp.po`` holds the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from typing import get_args

from loanapp.core.errors import Message
from loanapp.core.settings import Language

LANGUAGES: tuple[Language, ...] = get_args(Language)


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: Language) -> Mapping[str, str]:
    """Translations by English sentence; empty for English."""
    if language == "en":
        return {}
    from babel.messages.pofile import read_po

    resource = files(__package__).joinpath(f"locales/{language}/LC_MESSAGES/loanapp.po")
    with resource.open("rb") as file:
        entries = read_po(file, locale=language)
    return {str(e.id): str(e.string) for e in entries if e.id and e.string}


def translate(text: Message | str, language: Language) -> str:
    """Give the text in a language, its gaps filled with values in that language's format."""
    if isinstance(text, str):
        return catalogue(language).get(text, text)
    template = catalogue(language).get(text.template, text.template)
    if not text.values:
        return template
    return template.format_map({k: format_value(v, language) for k, v in text.values.items()})


def translator(language: Language) -> Callable[[Message | str], str]:
    """Give the function that translates into one language."""
    return lambda text: translate(text, language)


def format_value(value: object, language: Language) -> str:
    """Write the value of a gap: a number as the language writes numbers, a message translated."""
    if isinstance(value, Message):
        return translate(value, language)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return format_number(value, language, decimals=2 if abs(value) < 100 else 0)


def format_number(value: float, language: Language, *, decimals: int = 0) -> str:
    """Write a number: ``12 439,3`` in French, ``12,439.3`` in English; at most so many decimals."""
    from babel.numbers import format_decimal

    pattern = "#,##0." + "#" * decimals if decimals else "#,##0"
    rounded = round(value, decimals) + 0.0  # no minus before a zero
    return str(format_decimal(rounded, format=pattern, locale=language))


def format_amount(value: float, unit: str | None, language: Language) -> str:
    """Write an amount without decimals: ``12 439 €`` in French, ``€12,439`` in English."""
    from babel.numbers import format_currency

    if unit == "€":
        pattern = "#,##0\N{NO-BREAK SPACE}¤" if language == "fr" else "¤#,##0"
        return str(
            format_currency(value, "EUR", format=pattern, locale=language, currency_digits=False)
        )
    number = format_number(value, language)
    return f"{number}\N{NO-BREAK SPACE}{unit}" if unit else number


def format_moment(moment: datetime, language: Language, timezone: str | None = None) -> str:
    """Write a date and a time, in a time zone (``Europe/Paris``) or the machine's."""
    from babel.dates import format_datetime, get_timezone

    try:
        zone = get_timezone(timezone) if timezone else None
    except LookupError:
        zone = None
    return str(format_datetime(moment.astimezone(zone), "medium", locale=language))


def preferred_language(accepted: str | None, default: Language) -> Language:
    """Choose the language of an ``Accept-Language`` header or a browser's locale.

    Examples
    --------
    >>> preferred_language("en-GB,en;q=0.9,fr;q=0.8", "fr")
    'en'
    >>> preferred_language(None, "fr")
    'fr'
    """
    ranked = [_quality(part) for part in (accepted or "").split(",")]
    for quality, tag in sorted(ranked, key=lambda pair: -pair[0]):
        for language in LANGUAGES:
            if quality > 0 and tag == language:
                return language
    return default


def _quality(part: str) -> tuple[float, str]:
    """Take one part of the header apart: its quality and its language."""
    tag, _, parameters = part.strip().partition(";")
    _, _, quality = parameters.partition("q=")
    try:
        weight = float(quality) if quality else 1.0
    except ValueError:
        weight = 0.0
    return weight, tag.strip().lower().replace("_", "-").split("-")[0]
