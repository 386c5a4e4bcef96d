"""Why a cell is refused, and what its reader is told to do."""

from __future__ import annotations

from enum import IntEnum

from loanapp.core.data.numerals import number_text, parse_numeral
from loanapp.core.data.schema import Field
from loanapp.core.errors import Message, message


class Fault(IntEnum):
    """Why a cell is refused."""

    NONE = 0
    MISSING = 1
    NOT_A_NUMBER = 2
    TWO_READINGS = 3
    NOT_FINITE = 4
    NOT_WHOLE = 5
    OUT_OF_RANGE = 6
    UNKNOWN_CATEGORY = 7


def explain(fault: Fault, field: Field, text: str) -> Message:
    """What is wrong with a cell and what to do."""
    match fault:
        case Fault.MISSING:
            return message("The cell is empty, and this column must be filled.")
        case Fault.NOT_A_NUMBER:
            return message("This is not a number. Write it in digits, with one decimal mark.")
        case Fault.NOT_FINITE:
            return message("The number is infinite or too large. Write the true amount.")
        case Fault.NOT_WHOLE:
            return message("This must be a whole number.")
        case Fault.TWO_READINGS:
            return _explain_two_readings(text, field)
        case Fault.UNKNOWN_CATEGORY:
            return message(
                "This category is not known. Write one of: {categories}.",
                categories=", ".join(field.enum),
            )
    return _explain_range(field)


def _explain_two_readings(text: str, field: Field) -> Message:
    numeral = parse_numeral(text, field.unit)
    readings = [number_text(r.value) for r in numeral.readings] if numeral else ["", ""]
    return message(
        "This can be read as {decimal} or as {grouped}. "
        "Write it without a thousands separator, or with another number of decimals.",
        decimal=readings[0],
        grouped=readings[-1],
    )


def _explain_range(field: Field) -> Message:
    low, high = field.minimum, field.maximum
    if low is not None and high is not None:
        return message(
            "This must lie between {minimum} and {maximum}.",
            minimum=_bound(low),
            maximum=_bound(high),
        )
    if low is not None:
        return message("This must be at least {minimum}.", minimum=_bound(low))
    return message("This must be at most {maximum}.", maximum=_bound(high or 0.0))


def _bound(value: float) -> int | str:
    """A whole number is written as the reader writes numbers; others digit by digit."""
    return int(value) if float(value).is_integer() else number_text(value)
