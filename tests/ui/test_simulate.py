"""Simulate draws the form from the contract and the amount from the service."""

from __future__ import annotations

import pytest


def digits(text: str) -> int:
    return int("".join(letter for letter in text if letter.isdigit()))


@pytest.fixture
def category_field(schema):
    return next(f for f in schema.features() if len(f.enum) > 2)


def test_the_form_has_a_widget_for_every_feature_of_the_model(any_session, schema):
    any_session.open("simulate")
    keys = {w.key for kind in (any_session.test.slider, any_session.test.selectbox) for w in kind}
    assert {f"a_{field.name}" for field in schema.features()} <= keys
    labels = {slider.label for slider in any_session.test.slider}
    assert {"Âge (ans)", "Taille (cm)"} <= labels


def test_the_amount_is_that_of_the_service_for_the_client_in_the_form(
    session, reading, schema, category_field
):
    session.open("simulate")
    other = category_field.enum[-1]
    session.test.selectbox(key=f"a_{category_field.name}").set_value(other)
    session.run()
    widgets = [*session.test.slider, *session.test.selectbox]
    client = {w.key.removeprefix("a_"): w.value for w in widgets if w.key.startswith("a_")}
    assert client[category_field.name] == other
    (metric,) = session.test.metric
    assert digits(metric.value) == round(float(reading.predict_records([client]).amounts[0]))


def test_the_link_reproduces_the_case(session, reading, visiting, schema, category_field):
    session.open("simulate")
    session.test.selectbox(key=f"a_{category_field.name}").set_value(category_field.enum[-1])
    session.test.toggle(key="pair").set_value(True)
    session.run()
    session.test.selectbox(key=f"b_{category_field.name}").set_value(category_field.enum[1])
    session.run()
    again = visiting(reading, locale="en-GB")
    again.test.query_params = dict(session.test.query_params)
    again.open("simulate")
    assert [m.value[-3:] for m in again.test.metric]
    values = [digits(metric.value) for metric in session.test.metric]
    assert [digits(metric.value) for metric in again.test.metric] == values
    assert len(values) == 2


def test_a_link_with_impossible_values_opens_the_usual_client(reading, visiting, schema):
    session = visiting(reading)
    session.test.query_params = {field.name: "inf" for field in schema.features()}
    session.open("simulate")
    assert len(session.test.metric) == 1


def test_exact_values_can_be_typed(session, schema):
    number = next(f for f in schema.features() if f.type == "number")
    session.open("simulate").test.toggle(key="exact").set_value(True)
    session.run().test.number_input(key=f"a_{number.name}_exact").set_value(number.maximum)
    session.run()
    assert session.test.number_input(key=f"a_{number.name}_exact").value == number.maximum


def test_the_client_outlives_a_change_of_page(session, category_field):
    key = f"a_{category_field.name}"
    session.open("simulate").test.selectbox(key=key).set_value(category_field.enum[-1])
    session.run().open("home").open("simulate")
    assert session.test.selectbox(key=key).value == category_field.enum[-1]


def test_without_a_model_the_page_leads_to_the_training(empty_session):
    assert empty_session.open("simulate").has("go_train")
