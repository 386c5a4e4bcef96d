"""Settings switch language and service, and explain what the operator has set."""

from __future__ import annotations

from loanapp.api.app import create_app
from loanapp.ui import backend


def test_the_language_is_switched_for_every_page(session):
    session.open("settings").test.segmented_control(key="page_lang").set_value("en")
    assert session.run().title == "Settings"
    assert session.test.segmented_control(key="sidebar_lang").value == "en"
    assert session.open("train").title == "Train a model"


def test_only_the_addresses_of_the_settings_can_be_chosen(session, reading):
    options = session.open("settings").test.radio(key="connection").options
    assert len(options) == 1 + len(reading.settings.remote_urls)
    session.test.session_state["kept_remote"] = "http://elsewhere.example"
    assert "Service intégré" in session.open("home").texts


def test_a_remote_api_that_does_not_answer_is_said_and_can_be_left(
    service, visiting, make_settings, tmp_path
):
    url = "http://127.0.0.1:9"
    service.settings = make_settings(tmp_path, remote_urls=(url,))
    session = visiting(service).open("settings")
    session.test.radio(key="connection").set_value(url)
    assert "Pas de connexion." in session.run().texts
    session.open("home")
    assert "ne répond pas" in session.texts
    session.open("settings").test.radio(key="connection").set_value("")
    assert "La version 1 est en service" in session.run().open("home").texts


def test_an_operator_can_have_all_pages_work_with_an_api_elsewhere(
    service, reading, visiting, listening, make_settings, tmp_path
):
    with listening(create_app(reading, reading.settings)) as url:
        service.settings = make_settings(tmp_path, api_url=f"{url}/", remote_urls=())
        session = visiting(service).open("settings")
        options = session.test.radio(key="connection").options
        assert options == [f"`{url}`"]
        assert "Connecté en" in session.texts
        assert "La version 1 est en service" in session.open("home").texts
        backend._remote(url).close()
        backend._remote.cache_clear()


def test_the_limits_are_listed_with_their_variables(any_session):
    any_session.open("settings")
    limits = any_session.test.table[0].value
    assert "LOANAPP_MAX_UPLOAD_MB" in " ".join(limits["Variable"])
    assert all(limits["Ce qu’il fait"])


def test_the_columns_that_the_law_restricts_are_named(session, schema):
    text = session.open("settings").texts
    assert all(field.label("fr") in text for field in schema.protected)
