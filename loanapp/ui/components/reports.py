"""What the reader said of a file: problems by line, repairs by column."""

from __future__ import annotations

import streamlit as st

from loanapp.core.data.report import Repair, Report
from loanapp.ui.components.tables import ROWS_SHOWN, show_texts
from loanapp.ui.state import schema
from loanapp.ui.text import _, label, number, plain, say


def show_problems(report: Report) -> None:
    """List what is wrong in a file, with the lines as a spreadsheet counts them."""
    if not report.problems:
        return
    columns = {
        _("Line"): ["—" if p.row is None else str(p.row) for p in report.problems],
        _("Column"): [column_label(p.column) for p in report.problems],
        _("Value"): [plain(p.value or "—") for p in report.problems],
        _("Problem"): [plain(say(p.problem)) for p in report.problems],
    }
    show_texts(columns, _("Problems in the file, by line"), rows_shown=ROWS_SHOWN)
    if report.problem_count > len(report.problems):
        st.caption(
            _(
                "The first {shown} of {count} problems.",
                shown=len(report.problems),
                count=report.problem_count,
            )
        )


def show_repairs(report: Report) -> None:
    """List what was repaired, folded away: it needs no decision."""
    if not report.repairs:
        return
    total = sum(repair.count for repair in report.repairs)
    with st.expander(
        _("Repairs made while reading: {count}", count=total), icon=":material/build:"
    ):
        st.caption(_("Each had one possible meaning. Your file itself is not changed."))
        columns = {
            _("Column"): [column_label(repair.column) for repair in report.repairs],
            _("Repair"): [plain(say(repair.repair)) for repair in report.repairs],
            _("Cells"): [number(repair.count) for repair in report.repairs],
            _("Example"): [_example(repair) for repair in report.repairs],
        }
        show_texts(columns, _("Repairs made while reading, by column"))


def _example(repair: Repair) -> str:
    return "—" if repair.before is None else plain(f"{repair.before} → {repair.after}")


def column_label(name: str | None) -> str:
    """Name of a column for the reader, with the file's own name where it differs."""
    if name is None:
        return "—"
    field = schema().by_name.get(name)
    if field is None or label(field) == name:
        return plain(name)
    return plain(f"{label(field)} ({name})")


def ask_to_skip(report: Report) -> bool:
    """Let the user leave the refused rows out, where others remain."""
    if not 0 < report.invalid_rows < report.rows:
        return False
    return st.checkbox(
        _(
            "Leave the refused rows out (rows: {refused}) and predict the others (rows: {rest})",
            refused=report.invalid_rows,
            rest=report.rows - report.invalid_rows,
        ),
        key="skip_invalid",
    )
