"""Cells to values: what each cell of a column means, what was repaired, what is wrong."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from loanapp.core.data import arrays
from loanapp.core.data.categories import CategoryReader, MissingMarks
from loanapp.core.data.faults import Fault
from loanapp.core.data.grid import RawColumn
from loanapp.core.data.numerals import (
    BLANKS,
    PLAIN_PATTERN,
    TWO_READINGS_PATTERN,
    NumberFormat,
    Numeral,
    Role,
    Style,
    number_text,
    parse_numeral,
)
from loanapp.core.data.report import Repair, shortened
from loanapp.core.data.schema import Field
from loanapp.core.errors import Message, message

Codes = npt.NDArray[np.int32]
Kinds = npt.NDArray[np.uint8]
MANY = 256


@dataclass(frozen=True)
class ReadColumn:
    """One column as values.

    Parameters
    ----------
    field
        What the contract says of it.
    values
        The column as it goes into the table.
    faults
        By row, why the cell is refused (`Fault`).
    repairs
        What was done to read it.
    """

    field: Field
    values: pa.Array
    faults: Kinds
    repairs: tuple[Repair, ...]


@dataclass(frozen=True)
class _Distinct:
    """The different texts of a column: which row has which, and how often each counts."""

    texts: Sequence[str]
    codes: Codes
    counts: npt.NDArray[np.int64]
    array: pa.Array | None = None

    @classmethod
    def of(cls, column: RawColumn, counted: arrays.Mask) -> _Distinct:
        if column.numbers is not None:
            counted = counted & np.isnan(column.numbers)
        if len(column.texts) <= MANY:
            texts = column.texts.to_pylist()
            order = {text: code for code, text in enumerate(dict.fromkeys(texts))}
            codes = np.fromiter(map(order.__getitem__, texts), np.int32, len(texts))
            return cls(list(order), codes, np.bincount(codes[counted], minlength=len(order)))
        encoded = column.texts.dictionary_encode().unify_dictionaries()
        codes, array = arrays.to_codes(encoded), encoded.chunk(0).dictionary
        counts = np.bincount(codes[counted], minlength=len(array))
        return cls(array.to_pylist(), codes, counts, array)

    def repairs(
        self, field: Field, styles: Kinds, after: Callable[[int], str]
    ) -> tuple[Repair, ...]:
        """What each style of writing was changed to, counted, with its first example."""
        found: list[Repair] = []
        if not styles.any():
            return ()
        for style, kind in _REPAIRS.items():
            touched = np.flatnonzero(((styles & style) != 0) & (self.counts > 0))
            if len(touched):
                first, count = int(touched[0]), int(self.counts[touched].sum())
                before, value = shortened(self.texts[first]), shortened(after(first))
                found.append(Repair(field.name, kind, count, before, value))
        return tuple(found)


def read_column(
    column: RawColumn, field: Field, missing: MissingMarks, counted: arrays.Mask
) -> ReadColumn:
    """Read the cells of one column.

    Parameters
    ----------
    column
        The cells.
    field
        What the contract says of them.
    missing
        The texts that stand for a missing cell.
    counted
        The rows that count; the others are neither learned from nor refused here.
    """
    if field.is_numeric:
        read = _read_numbers(column, field, missing, counted)
    elif field.enum:
        read = _read_categories(column, field, missing, counted)
    else:
        read = _read_texts(column, field, missing, counted)
    read.faults[~counted] = Fault.NONE
    return read


_REPAIRS: Mapping[Style, Message] = {
    Style.BLANKS: message("surrounding blanks removed"),
    Style.UNIT: message("unit removed"),
    Style.GROUPED: message("thousands separators removed"),
    Style.COMMA: message("decimal comma read as decimal point"),
    Style.MINUS: message("typographic minus sign read as minus"),
    Style.ABSENT: message("read as a missing value"),
    Style.SPELLING: message("spelling of the category corrected"),
}


def check_numbers(values: arrays.Floats, faults: Kinds, field: Field) -> None:
    """Mark, in place, what the contract does not allow; NaN is a missing value."""
    sound = faults == Fault.NONE
    absent = np.isnan(values)
    if field.required:
        faults[sound & absent] = Fault.MISSING
    sound &= ~absent
    wrong = np.zeros(len(values), np.bool_)
    if field.minimum is not None:
        wrong |= values < field.minimum
    if field.maximum is not None:
        wrong |= values > field.maximum
    faults[sound & wrong] = Fault.OUT_OF_RANGE
    if field.type == "integer":
        faults[sound & (values != np.floor(values))] = Fault.NOT_WHOLE
    faults[sound & np.isinf(values)] = Fault.NOT_FINITE


def _read_numbers(
    column: RawColumn, field: Field, missing: MissingMarks, counted: arrays.Mask
) -> ReadColumn:
    if column.only_numbers and column.numbers is not None:
        return _check_typed(column.numbers.copy(), field)
    distinct = _Distinct.of(column, counted)
    values, faults, styles = _numbers(distinct, field, missing)
    rows, row_faults = values[distinct.codes], faults[distinct.codes]
    if column.numbers is not None:
        typed = ~np.isnan(column.numbers)
        rows[typed], row_faults[typed] = column.numbers[typed], Fault.NONE
    check_numbers(rows, row_faults, field)
    rows[row_faults != Fault.NONE] = np.nan
    repairs = distinct.repairs(field, styles, lambda i: _plain_text(values[i]))
    return ReadColumn(field, arrays.from_floats(rows), row_faults, repairs)


def _check_typed(rows: arrays.Floats, field: Field) -> ReadColumn:
    """A column of which every cell is a number by its type, or missing."""
    faults = np.zeros(len(rows), np.uint8)
    check_numbers(rows, faults, field)
    rows[faults != Fault.NONE] = np.nan
    return ReadColumn(field, arrays.from_floats(rows), faults, ())


def _plain_text(value: float) -> str:
    return number_text(float(value)) if np.isfinite(value) else ""


def _numbers(
    distinct: _Distinct, field: Field, missing: MissingMarks
) -> tuple[arrays.Floats, Kinds, Kinds]:
    """Value, fault and style of each different text."""
    size = len(distinct.texts)
    values = np.full(size, np.nan)
    faults, styles = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    left, point = _read_plain(distinct, values, missing)
    numerals: dict[int, Numeral] = {}
    for code in left:
        text = distinct.texts[code]
        if text in missing:
            styles[code] = Style.ABSENT if text else Style.PLAIN
        elif numeral := parse_numeral(text, field.unit):
            numerals[code] = numeral
        else:
            faults[code] = Fault.NOT_A_NUMBER
    layout = NumberFormat.of(n for code, n in numerals.items() if distinct.counts[code])
    if point:
        layout = layout.with_role(".", point)
    for code, numeral in numerals.items():
        reading = layout.decide(numeral, field)
        if reading is None:
            faults[code] = Fault.TWO_READINGS
        else:
            values[code], styles[code] = reading.value, reading.style
    return values, faults, styles


def _read_plain(
    distinct: _Distinct, values: arrays.Floats, missing: MissingMarks
) -> tuple[Iterable[int], Role]:
    """Fill in the plain numbers; give what is left, and what their points show."""
    texts = distinct.array
    if texts is None or missing.holds_numbers:
        return range(len(distinct.texts)), Role(0)
    plain = arrays.to_mask(pc.match_substring_regex(texts, PLAIN_PATTERN))
    plain &= ~arrays.to_mask(pc.match_substring_regex(texts, TWO_READINGS_PATTERN))
    chosen = texts.filter(arrays.from_mask(plain & (distinct.counts > 0)))
    values[plain] = arrays.to_numbers(texts.filter(arrays.from_mask(plain)).cast(pa.float64()))
    pointed = arrays.to_mask(pc.match_substring(chosen, "."))
    three = arrays.to_mask(pc.match_substring_regex(chosen, r"\.[0-9]{3}$"))
    role = Role.DECIMAL if pointed.any() else Role(0)
    free = Role.FREE if (pointed & ~three).any() else Role(0)
    return np.flatnonzero(~plain).tolist(), role | free


def _read_categories(
    column: RawColumn, field: Field, missing: MissingMarks, counted: arrays.Mask
) -> ReadColumn:
    distinct = _Distinct.of(RawColumn(column.texts), counted)
    reader, size = CategoryReader.of(field), len(distinct.texts)
    codes = np.full(size, -1, np.int32)
    faults, styles = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    for i, text in enumerate(distinct.texts):
        code, exact = reader.read(text)
        if not exact and text in missing:
            styles[i] = Style.ABSENT if text else Style.PLAIN
            faults[i] = Fault.MISSING if field.required else Fault.NONE
        elif code < 0:
            faults[i] = Fault.UNKNOWN_CATEGORY
        else:
            codes[i], styles[i] = code, Style.PLAIN if exact else Style.SPELLING
    values = arrays.from_codes(codes[distinct.codes], field.enum)
    repairs = distinct.repairs(
        field, styles, lambda i: field.enum[codes[i]] if codes[i] >= 0 else ""
    )
    return ReadColumn(field, values, faults[distinct.codes], repairs)


def _read_texts(
    column: RawColumn, field: Field, missing: MissingMarks, counted: arrays.Mask
) -> ReadColumn:
    distinct = _Distinct.of(RawColumn(column.texts), counted)
    size = len(distinct.texts)
    read: list[str | None] = [None] * size
    faults, styles = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    for i, text in enumerate(distinct.texts):
        if text in missing:
            styles[i] = Style.ABSENT if text else Style.PLAIN
            faults[i] = Fault.MISSING if field.required else Fault.NONE
        else:
            read[i] = unicodedata.normalize("NFC", text.strip(BLANKS))
            styles[i] = Style.PLAIN if len(read[i] or "") == len(text) else Style.BLANKS
    values = arrays.from_texts([read[code] for code in distinct.codes])
    repairs = distinct.repairs(field, styles, lambda i: read[i] or "")
    return ReadColumn(field, values, faults[distinct.codes], repairs)
