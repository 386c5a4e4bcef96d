"""Home says which model serves, how good it is, and what to do next."""

from __future__ import annotations

import re
from contextlib import closing

from loanapp.core.service import Service


def test_without_a_model_two_ways_to_the_first_one_are_offered(empty_session):
    empty_session.open("home")
    assert empty_session.title == "Montants de prêt"
    assert empty_session.has("train_example")
    assert empty_session.has("train_own")
    assert "Aucun modèle" in empty_session.texts


def test_the_model_that_serves_is_described_in_words_and_figures(any_session):
    texts = any_session.open("home").texts
    assert "La version 1 est en service" in texts
    assert "clients.csv" in texts
    assert "Camille" in texts
    assert re.search(r"La moitié des prédictions sont à moins de [\d\s]+\s€ du montant\.", texts)
    labels = [metric.label for metric in any_session.test.metric]
    assert labels == ["MAE", "R²", "Dans l’intervalle", "Lignes"]


def test_the_next_step_is_one_click_away(session):
    session.open("home").click("next_predict")
    assert session.title == "Prédire les montants"


def test_an_english_browser_gets_english(reading, visiting):
    session = visiting(reading, locale="en-GB").open("home")
    assert session.title == "Loan amounts"
    assert re.search(r"within €[\d,]+ of the amount", session.texts)


def test_a_browser_in_another_language_gets_the_language_of_the_settings(reading, visiting):
    assert visiting(reading, locale="de-DE").open("home").title == "Montants de prêt"


def test_the_language_can_be_switched_from_the_sidebar(session):
    session.open("home").test.segmented_control(key="sidebar_lang").set_value("en")
    assert session.run().title == "Loan amounts"
    assert session.open("models").title == "Models"


def test_the_history_is_drawn_once_there_are_two_versions(
    two_versions_home, make_settings, visiting
):
    with closing(Service(make_settings(two_versions_home))) as service:
        session = visiting(service).open("home")
        assert len(session.test.get("vega_lite_chart")) == 1
        assert "versions conservées" in session.texts
        assert "La version 2 est en service" in session.texts


def test_a_model_that_cannot_be_loaded_is_said(service, visiting):
    bundle = next(service.home.bundle("1").glob("*.npz"))
    bundle.write_bytes(b"")
    session = visiting(service).open("home")
    assert "n’a pas pu être chargé" in session.texts
    assert session.has("train_example")
