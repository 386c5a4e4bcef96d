"""Models lists the versions, compares them, and changes the one that serves on purpose only."""

from __future__ import annotations

from contextlib import closing

import pytest

from loanapp.core.service import Service


@pytest.fixture
def two(two_versions_home, copying, make_settings, tmp_path):
    """A service with two versions, the second of which serves."""
    with closing(Service(make_settings(copying(two_versions_home, tmp_path / "home")))) as service:
        yield service


def test_every_version_is_listed_with_its_state_and_author(two, visiting):
    session = visiting(two).open("models")
    versions = session.test.dataframe[0].value
    assert list(versions["version"]) == ["2", "1"]
    assert list(versions["state"]) == ["en service", "en réserve"]
    assert list(versions["author"]) == ["Dominique", "Camille"]
    assert versions["run"].str.contains("/#/runs/").all()


def test_one_version_alone_is_shown_without_a_comparison(any_session):
    any_session.open("models")
    assert list(any_session.test.dataframe[0].value["version"]) == ["1"]
    assert "Comparer deux versions" not in any_session.texts


def test_a_version_goes_live_after_a_reason_and_a_confirmation(two, visiting):
    session = visiting(two).open("models")
    session.test.selectbox(key="chosen_version").set_value("1")
    session.run().click("promote")
    assert two.health().model_version == "2"
    session.test.text_input(key="why_author").input("Maya")
    session.test.text_area(key="why_reason").input("plus prudente")
    session.click("confirm_promote")
    assert two.health().model_version == "1"
    newest = two.history()[0]
    assert (newest.action, newest.author, newest.reason) == ("promote", "Maya", "plus prudente")
    assert "plus prudente" in set(session.run().test.table[-1].value["Raison"])


def test_rolling_back_serves_the_version_before(two, visiting):
    session = visiting(two).open("models").click("rollback")
    assert two.health().model_version == "2"
    session.click("confirm_rollback")
    assert two.health().model_version == "1"
    assert two.history()[0].action == "rollback"


def test_two_versions_stand_side_by_side(two, visiting):
    session = visiting(two).open("models")
    comparison = session.test.table[0]
    assert list(comparison.value.columns) == [
        "Élément comparé", "Version 2", "Version 1", "Différence",
    ]  # fmt: skip
    by_name = comparison.value.set_index("Élément comparé")["Différence"]
    first, second = (model.metrics for model in two.models())
    assert by_name["MAE"][0] == ("+" if second.mae > first.mae else "−")
    session.test.selectbox(key="compare_second").set_value("2")
    assert "Choisissez deux versions différentes." in session.run().texts


def test_without_a_version_the_page_leads_to_the_training(empty_session):
    assert empty_session.open("models").has("go_train")
