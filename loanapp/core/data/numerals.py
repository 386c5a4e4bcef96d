"""Numbers as people write them: ``1 369,50 €``, ``12'000``, ``1.5E+03``.

A text is read on its own where it has one meaning. ``1,234`` has two: the other cells of its
column decide what the comma is, or the contract does where only one reading is allowed;
otherwise it stays undecided.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache

from loanapp.core.data.schema import Field

LONGEST = 400
"""Characters of a number; looking for its unit in more would take time."""
BLANKS = " \t\u00a0\u202f\u2009\u2007\u3000\u200b\ufeff"
_BLANK_GROUP = r"[ \u00a0\u202f\u2009\u2007'’]"

_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
TWO_READINGS = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
_ONE_MARK = re.compile(r"([+-]?)([0-9]*)([.,])([0-9]*)((?:[eE][+-]?[0-9]+)?)")
_MANY_GROUPS = re.compile(r"[+-]?[1-9][0-9]{0,2}([.,])[0-9]{3}(?:\1[0-9]{3})+")
_GROUPS_AND_DECIMALS = re.compile(
    r"([+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+)(\.)([0-9]+)|([+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+)(,)([0-9]+)"
)
_BLANK_GROUPS = re.compile(
    rf"[+-]?[1-9][0-9]{{0,2}}({_BLANK_GROUP})[0-9]{{3}}(?:\1[0-9]{{3}})*(?:[.,][0-9]+)?"
)

PLAIN_PATTERN = f"^(?:{_PLAIN.pattern})$"
TWO_READINGS_PATTERN = f"^{TWO_READINGS.pattern}$"

_UNIT_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "€": ("€", "eur", "euro", "euros"),
    "years": ("years", "year", "yrs", "ans", "an"),
    "month": ("month", "months", "mois"),
    "year": ("year", "an"),
    "cm": ("cm", "centimètres", "centimetres"),
    "kg": ("kg", "kgs", "kilos"),
}


class Style(IntFlag):
    """How a text differs from a plain number with a decimal point, or from a category."""

    PLAIN = 0
    BLANKS = 1
    UNIT = 2
    GROUPED = 4
    COMMA = 8
    MINUS = 16
    ABSENT = 32
    SPELLING = 64


class Role(IntFlag):
    """What a point or a comma was seen to be in a column."""

    DECIMAL = 1
    GROUPING = 2
    FREE = 4
    """Decimal, with another number of decimals than three: so none are written for show."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a text, and the style that makes it so."""

    value: float
    style: Style


@dataclass(frozen=True, slots=True)
class Numeral:
    """What a text can mean.

    Parameters
    ----------
    readings
        One reading; or two, (decimal, grouped), where the mark can be either.
    mark
        The point or comma, where there are two readings.
    roles
        What this text alone shows of points and commas.
    """

    readings: tuple[Reading, ...]
    mark: str = ""
    roles: tuple[tuple[str, Role], ...] = ()


def parse_numeral(text: str, unit: str | None = None) -> Numeral | None:
    """Read a text as a number; None where it is none.

    Examples
    --------
    >>> parse_numeral("1 369,50 €", "€").readings[0].value
    1369.5
    >>> [r.value for r in parse_numeral("1,234").readings]
    [1.234, 1234.0]
    >>> parse_numeral("1_000") is None
    True
    """
    core = text.strip(BLANKS)
    if len(core) > LONGEST:
        return None
    style = Style.PLAIN if core == text else Style.BLANKS
    if not _PLAIN.fullmatch(core):
        if "−" in core:
            core, style = core.replace("−", "-"), style | Style.MINUS
        bare = _without_unit(core, unit)
        if bare != core:
            core, style = bare, style | Style.UNIT
    if TWO_READINGS.fullmatch(core):
        return _two_readings(core, style)
    if _PLAIN.fullmatch(core):
        shown = ((".", decimal_role(core.partition(".")[2])),) if "." in core else ()
        return Numeral((Reading(float(core), style),), roles=shown)
    return _parse_marked(core, style)


def decimal_role(decimals: str) -> Role:
    """What these decimals show of the mark before them."""
    return Role.DECIMAL if len(decimals) == 3 else Role.DECIMAL | Role.FREE


def _two_readings(core: str, style: Style) -> Numeral:
    mark = "." if "." in core else ","
    comma = Style.COMMA if mark == "," else Style.PLAIN
    decimal = Reading(float(core.replace(mark, ".")), style | comma)
    grouped = Reading(float(core.replace(mark, "")), style | Style.GROUPED)
    return Numeral((decimal, grouped), mark)


def _parse_marked(core: str, style: Style) -> Numeral | None:
    """Read a number with a decimal comma or groups of thousands, where that has one meaning."""
    if groups := _BLANK_GROUPS.fullmatch(core):
        core, style = core.replace(groups[1], ""), style | Style.GROUPED
        if core.isascii() and core.lstrip("+-").isdigit():
            return Numeral((Reading(float(core), style),))
    elif many := _MANY_GROUPS.fullmatch(core):
        value = float(core.replace(many[1], ""))
        return Numeral((Reading(value, style | Style.GROUPED),), roles=((many[1], Role.GROUPING),))
    elif both := _GROUPS_AND_DECIMALS.fullmatch(core):
        whole, mark, decimals = both.groups()[:3] if both[1] else both.groups()[3:]
        grouping = "," if mark == "." else "."
        style |= Style.GROUPED | (Style.COMMA if mark == "," else Style.PLAIN)
        value = float(f"{whole.replace(grouping, '')}.{decimals}")
        return Numeral(
            (Reading(value, style),),
            roles=((grouping, Role.GROUPING), (mark, decimal_role(decimals))),
        )
    single = _ONE_MARK.fullmatch(core)
    if single is None or not single[4] or (single[3] == "," and not single[2]):
        return None
    style |= Style.COMMA if single[3] == "," else Style.PLAIN
    value = float(core.replace(",", "."))
    return Numeral((Reading(value, style),), roles=((single[3], decimal_role(single[4])),))


def _without_unit(text: str, unit: str | None) -> str:
    """The text without the contract's unit before or behind it."""
    pattern = _unit_pattern(unit) if unit else None
    match = pattern.fullmatch(text) if pattern else None
    return text if match is None else (match[1] or match[2])


@lru_cache(maxsize=64)
def _unit_pattern(unit: str) -> re.Pattern[str]:
    """``number unit`` or ``unit number``; of ``€/month`` the first part may stand alone."""
    first, *rest = (
        "(?:" + "|".join(map(re.escape, _UNIT_SPELLINGS.get(part, (part,)))) + ")"
        for part in (piece.strip() for piece in unit.split("/"))
    )
    blank = f"[{BLANKS}]*"
    tail = "".join(rf"{blank}(?:/|par|per){blank}{part}" for part in rest)
    spelled = rf"{first}(?:{tail})?" if tail else first
    return re.compile(
        rf"([^{BLANKS}].*?){blank}{spelled}\.?|{spelled}{blank}([-+0-9].*)", re.IGNORECASE
    )


class NumberFormat:
    """What points and commas are in one column.

    Parameters
    ----------
    roles
        By mark, what the column's unequivocal cells show it to be.
    """

    def __init__(self, roles: Mapping[str, Role]) -> None:
        self.roles = roles

    @classmethod
    def of(cls, numerals: Iterable[Numeral]) -> NumberFormat:
        """Learn from the cells of a column."""
        roles: defaultdict[str, Role] = defaultdict(lambda: Role(0))
        for numeral in numerals:
            for mark, role in numeral.roles:
                roles[mark] |= role
        return cls(dict(roles))

    def with_role(self, mark: str, role: Role) -> NumberFormat:
        """The same with one more thing that cells show."""
        return NumberFormat({**self.roles, mark: self.roles.get(mark, Role(0)) | role})

    def decide(self, numeral: Numeral, field: Field) -> Reading | None:
        """The one reading of a number; None where two remain.

        A mark that other cells show to be decimal, or to separate thousands, is that here too;
        but 40,000 beside 7,5 is not forty: who writes 7,5 writes no zeros for show. Where they
        are silent or contradict each other, a reading that the contract excludes (its range,
        its whole numbers) is no reading.
        """
        if len(numeral.readings) == 1:
            return numeral.readings[0]
        decimal, grouped = numeral.readings
        role, for_show = self.roles.get(numeral.mark, Role(0)), grouped.value % 10 == 0
        match role & ~Role.FREE:
            case Role.DECIMAL if not (for_show and role & Role.FREE):
                return decimal
            case Role.DECIMAL:
                return None
            case Role.GROUPING:
                return grouped
        allowed = [r for r in numeral.readings if admits(field, r.value)]
        return allowed[0] if len(allowed) == 1 else None


def admits(field: Field, value: float) -> bool:
    """Whether a number is one that a field allows."""
    return (
        math.isfinite(value)
        and (field.minimum is None or value >= field.minimum)
        and (field.maximum is None or value <= field.maximum)
        and (field.type != "integer" or value.is_integer())
    )


def number_text(value: float) -> str:
    """The shortest plain spelling of a number.

    Examples
    --------
    >>> number_text(1369.0), number_text(161.7)
    ('1369', '161.7')
    """
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
