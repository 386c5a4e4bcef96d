"""Train watches a training that runs elsewhere, and says what came of it."""

from __future__ import annotations

import pytest

from loanapp.core.answers import Job
from loanapp.core.errors import message


@pytest.mark.slow
@pytest.mark.soak
def test_a_first_model_is_one_click_away(empty_session, empty_service):
    empty_session.open("home").click("train_example")
    assert empty_session.title == "Entraîner un modèle"
    empty_session.open("train").wait_for("after_predict")
    assert "Le nouveau modèle est en service." in empty_session.texts
    assert empty_service.health().model_version == "1"


@pytest.mark.slow
@pytest.mark.soak
def test_a_file_is_trained_on_compared_and_left_in_reserve(service, visiting, training_csv):
    session = visiting(service)
    session.open("train").upload("train_file", "clients.csv", training_csv)
    assert "Le fichier est utilisable." in session.texts
    assert session.test.button(key="train").label == "Entraîner le modèle"
    session.test.radio(key="train_promotion").set_value("manual")
    session.test.text_input(key="train_author").input("Maya")
    session.test.number_input(key="train_seed").set_value(5)
    session.run().click("train")
    session.wait_for("promote_new")
    (metrics, *_) = (table.value for table in session.test.table)
    assert list(metrics.columns) == [
        "Métrique", "Version 2", "Le modèle précédent", "Prédire la moyenne",
    ]  # fmt: skip
    assert service.health().model_version == "1"
    assert service.models()[0].author == "Maya"


@pytest.mark.slow
def test_a_training_is_one_for_every_rerun_page_and_browser(service, visiting, training_csv):
    first = visiting(service).open("train").upload("train_file", "clients.csv", training_csv)
    first.test.number_input(key="train_seed").set_value(6)
    first.run().click("train").run().open("home").open("train")
    assert "Entraînement en cours" in first.texts
    second = visiting(service).open("train")
    assert second.has("cancel_training")
    assert len(service.jobs()) == 2
    second.click("cancel_training").wait_for("train_again")
    assert "annulé" in second.texts
    assert "annulé" in first.run().texts


def test_a_file_without_the_target_is_refused_by_name(any_session, clients_csv, schema):
    any_session.open("train").upload("train_file", "clients.csv", clients_csv)
    assert not any_session.has("train")
    (problems,) = any_session.test.table
    assert schema.target.name in " ".join(problems.value["Problème"])


def test_the_chosen_file_and_the_choices_outlive_a_change_of_page(session, training_csv):
    session.open("train").upload("train_file", "clients.csv", training_csv)
    session.test.text_area(key="train_reason").input("chiffres de mars")
    session.run().open("home").open("train")
    assert "clients.csv" in session.texts
    assert session.test.text_area(key="train_reason").value == "chiffres de mars"


def test_too_few_rows_are_answered_with_a_sentence(session, training_csv):
    few = b"\n".join(training_csv.split(b"\n")[:5])
    session.open("train").upload("train_file", "peu.csv", few).click("train")
    assert "au moins 20 lignes" in session.texts.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("state", ["cancelled", "failed", "interrupted"])
def test_every_end_of_a_training_is_said(reading, visiting, monkeypatch, state):
    ended = Job("7", state, reason=message("There is not enough memory for this file."))
    monkeypatch.setattr(reading, "job", lambda _id: ended)
    session = visiting(reading)
    session.test.session_state["kept_job"] = "7"
    session.open("train")
    words = {"cancelled": "annulé", "failed": "pas assez de mémoire", "interrupted": "interrompu"}
    assert words[state] in session.texts
    assert session.has("train_again")
