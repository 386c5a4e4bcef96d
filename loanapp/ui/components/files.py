"""A file that stays chosen when the page is left, and what is in it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import streamlit as st

from loanapp.core.answers import Inspection
from loanapp.core.data.samples import sample_csv
from loanapp.ui.backend import Purpose, settings
from loanapp.ui.components.reports import show_problems, show_repairs
from loanapp.ui.state import backend, forget, keep, recall, remote_url, schema
from loanapp.ui.text import _, plain, size

SAMPLE_ROWS: dict[Purpose, int] = {"train": 2000, "predict": 200}
SAMPLE_SEEDS: dict[Purpose, int] = {"train": 0, "predict": 1}


@dataclass(frozen=True)
class Upload:
    """A file as the user gave it."""

    name: str
    content: bytes
    sample: bool = False

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self.content).hexdigest()

    def open(self) -> io.BytesIO:
        """Give the content as a file."""
        return io.BytesIO(self.content)


def choose_file(purpose: Purpose) -> Upload | None:
    """Let the user choose a file, or show the one that was chosen; None until there is one."""
    upload: Upload | None = recall(f"{purpose}_upload")
    if upload is None:
        _ask_for_file(purpose)
        return None
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/description: **{plain(upload.name)}** · {size(len(upload.content))}"
        )
        st.space("stretch")
        st.button(
            _("Choose another file"),
            key=f"{purpose}_other_file",
            icon=":material/swap_horiz:",
            on_click=_drop,
            args=(purpose,),
        )
    return upload


def sample_upload(purpose: Purpose) -> Upload:
    """Make a file of synthetic clients."""
    content = sample_csv(
        schema(), SAMPLE_ROWS[purpose], SAMPLE_SEEDS[purpose], target=purpose == "train"
    )
    return Upload(_("example.csv"), content, sample=True)


def _ask_for_file(purpose: Purpose) -> None:
    """Ask for a file, and copy it out of the widget, which dies with its page."""
    file = st.file_uploader(
        _("File of clients with the amounts granted")
        if purpose == "train"
        else _("File of clients"),
        max_upload_size=max(1, int(settings().max_upload_mb)),
        key=f"{purpose}_file",
        help=_("CSV, Excel or Parquet; one client a line, the names of the columns first."),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        tried = st.button(
            _("Try with an example"), key=f"{purpose}_sample", icon=":material/science:"
        )
        st.caption(
            _("{rows} invented clients, drawn from the contract.", rows=SAMPLE_ROWS[purpose])
        )
    if file is None and not tried:
        return
    _drop(purpose)
    upload = Upload(file.name, file.getvalue()) if file else sample_upload(purpose)
    keep(f"{purpose}_upload", upload)
    st.rerun()


def _drop(purpose: Purpose) -> None:
    forget(f"{purpose}_upload", f"{purpose}_inspection", f"{purpose}_result")


def inspect_file(upload: Upload, purpose: Purpose) -> Inspection:
    """Say what is in the file: read once, kept for the session."""
    key = (upload.digest, purpose, remote_url())
    known = recall(f"{purpose}_inspection")
    if known is not None and known[0] == key:
        inspection: Inspection = known[1]
        return inspection
    with st.spinner(_("Reading the file…")):
        inspection = backend().inspect(upload.open(), purpose)
    keep(f"{purpose}_inspection", (key, inspection))
    return inspection


def show_inspection(inspection: Inspection) -> None:
    """Say what is in the file, what was repaired and what is wrong."""
    report = inspection.report
    if inspection.valid:
        facts = [
            _("rows: {n}", n=report.rows),
            _("columns used: {n}", n=len(inspection.profile)),
            _("repairs: {n}", n=sum(r.count for r in report.repairs))
            if report.repairs
            else _("nothing to repair"),
        ]
        st.success(
            _("The file can be used.") + " " + " · ".join(facts).capitalize(),
            icon=":material/task_alt:",
        )
    else:
        st.error(
            _(
                "The file cannot be used as it is. Problems: {problems}; rows concerned: "
                "{rows} of {total}. Correct them in your file, then choose it again.",
                problems=report.problem_count,
                rows=report.invalid_rows,
                total=report.rows,
            ),
            icon=":material/error:",
        )
        show_problems(report)
    show_repairs(report)
    _show_ignored(report.ignored_columns)


def _show_ignored(columns: Sequence[str]) -> None:
    """Say which columns are not used: the amounts granted are no surprise, others may be."""
    target = schema().target.name
    others = [name for name in columns if name != target]
    if target in columns:
        st.caption(
            _(
                "The amounts already in the file ({name}) are not used to predict.",
                name=plain(target),
            )
        )
    if others:
        names = ", ".join(plain(name) for name in others)
        st.caption(_("Columns that are not in the contract and are not used: {names}", names=names))
