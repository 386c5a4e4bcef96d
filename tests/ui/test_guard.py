"""Whatever goes wrong, a reader sees a sentence that says what to do."""

from __future__ import annotations

import logging

import pytest

from loanapp.core import errors
from loanapp.core.data.report import Problem, Report

PAGES = ["home", "train", "predict", "simulate", "models", "settings"]


def broken(reading, monkeypatch, names, error):
    def fail(*_args, **_choices):
        raise error

    for name in names:
        monkeypatch.setattr(reading, name, fail)


@pytest.mark.parametrize("page", PAGES)
def test_a_bug_is_answered_calmly_and_logged(reading, visiting, monkeypatch, caplog, page):
    monkeypatch.setattr(logging.getLogger("loanapp"), "propagate", True)
    session = visiting(reading)
    broken(reading, monkeypatch, ["health", "schema", "jobs", "models"], RuntimeError("a bug"))
    session.may_fail = True
    session.open(page)
    shown = " ".join(error.value for error in session.test.error)
    assert "Un imprévu s’est produit" in shown
    assert "RuntimeError" not in session.texts
    assert "a bug" in caplog.text


@pytest.mark.parametrize("page", ["home", "models", "train"])
def test_a_store_that_does_not_answer_is_said(reading, visiting, monkeypatch, page):
    error = errors.StoreUnavailable(
        errors.message("The model store does not answer: {reason}", reason="verrouillé")
    )
    session = visiting(reading)
    broken(reading, monkeypatch, ["jobs", "models", "history"], error)
    session.open(page)
    assert "Le stockage des modèles ne répond pas" in session.texts
    assert "réessayez dans un instant" in session.texts


def test_an_error_with_problems_shows_them_by_line(reading, visiting, monkeypatch, clients_csv):
    problem = Problem(
        4,
        None,
        "x",
        errors.message("This is not a number. Write it in digits, with one decimal mark."),
    )
    report = Report(rows=9, problems=(problem,), problem_count=250, invalid_rows=1)
    error = errors.InvalidTable(errors.message("The file has a problem and was not used."), report)
    session = visiting(reading).open("predict")
    session.upload("predict_file", "clients.csv", clients_csv)
    broken(reading, monkeypatch, ["predict"], error)
    session.click("predict")
    assert list(session.test.table[-1].value["Ligne"]) == ["4"]
    assert "Les 1 premiers problèmes sur 250." in session.texts
