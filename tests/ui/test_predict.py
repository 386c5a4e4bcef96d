"""Predict takes a file, says what is in it, and gives it back with the amounts."""

from __future__ import annotations

import io
from contextlib import closing

import numpy as np
import pyarrow.csv as pa_csv
import pytest

from loanapp.core.service import Service


def spoil(content: bytes, line: int, column: str) -> bytes:
    """Put a text where a number belongs, in one line of a file as an editor counts it."""
    lines = content.decode().splitlines()
    place = lines[0].split(",").index(column)
    cells = lines[line - 1].split(",")
    cells[place] = "beaucoup"
    lines[line - 1] = ",".join(cells)
    return "\n".join(lines).encode()


@pytest.fixture
def number_column(schema):
    return next(f for f in schema.features() if f.is_numeric)


def test_without_a_model_the_page_leads_to_the_training(empty_session):
    empty_session.open("predict")
    assert "il faut d’abord en entraîner un" in empty_session.texts
    assert empty_session.click("go_train").title == "Entraîner un modèle"


def test_a_file_comes_back_with_the_amounts_of_the_service(any_session, reading, clients_csv):
    any_session.open("predict").upload("predict_file", "clients.csv", clients_csv).click("predict")
    expected = reading.predict(io.BytesIO(clients_csv))
    (table,) = any_session.test.dataframe
    shown = table.value
    assert np.array_equal(shown["_amount"], expected.amounts.round())
    assert np.array_equal(shown["_lower"], expected.lower.round())
    assert len(shown) == 200
    totals = {metric.label: metric.value for metric in any_session.test.metric}
    assert totals["Clients"] == "200"
    digits = int("".join(c for c in totals["Total attendu"] if c.isdigit()))
    assert digits == round(float(expected.expected.sum()))


def test_the_prediction_and_the_file_outlive_a_change_of_page(session, clients_csv):
    session.open("predict").upload("predict_file", "clients.csv", clients_csv).click("predict")
    session.open("home").open("predict")
    assert "clients.csv" in session.texts
    assert len(session.test.dataframe) == 1


def test_another_file_takes_the_place_of_the_first(session, clients_csv):
    session.open("predict").upload("predict_file", "clients.csv", clients_csv).click("predict")
    session.click("predict_other_file")
    assert not session.test.dataframe
    assert session.test.file_uploader(key="predict_file")


def test_the_example_predicts_in_two_clicks(session):
    session.open("predict").click("predict_sample").click("predict")
    assert len(session.test.dataframe) == 1


def test_columns_of_the_same_name_stand_side_by_side(session, clients_csv):
    head, *rows = clients_csv.splitlines()
    doubled = [head + b",note,note,_amount", *(row + b",a,b,c" for row in rows)]
    session.open("predict").upload("predict_file", "clients.csv", b"\n".join(doubled))
    (shown,) = session.click("predict").test.dataframe
    assert list(shown.value.columns[-3:]) == ["note", "note (2)", "_amount (2)"]
    assert shown.value["_amount"].gt(0).all()


def test_a_refused_file_shows_its_problems_by_line(any_session, clients_csv, number_column):
    spoiled = spoil(clients_csv, 17, number_column.name)
    any_session.open("predict").upload("predict_file", "clients.csv", spoiled)
    (problems,) = any_session.test.table
    assert list(problems.value["Ligne"]) == ["17"]
    assert number_column.label("fr") in problems.value["Colonne"].iloc[0]
    assert list(problems.value["Valeur"]) == ["beaucoup"]
    assert "Ce n’est pas un nombre" in problems.value["Problème"].iloc[0]
    assert any_session.test.button(key="predict").disabled


def test_refused_rows_can_be_left_out_and_taken_home(any_session, clients_csv, number_column):
    spoiled = spoil(clients_csv, 17, number_column.name)
    any_session.open("predict").upload("predict_file", "clients.csv", spoiled)
    any_session.test.checkbox(key="skip_invalid").check()
    any_session.run().click("predict")
    assert "Lignes refusées mises de côté : 1." in any_session.texts.replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert any_session.test.download_button(key="download_rejected")
    assert len(any_session.test.dataframe[-1].value) == 199


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vide.csv", b""),
        ("image.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256))),
        ("autre.csv", b"a,b\n1,2\n"),
    ],
)
def test_a_file_that_is_none_is_answered_with_a_sentence(session, name, content):
    session.open("predict").upload("predict_file", name, content)
    assert session.test.error
    assert not session.has("predict") or session.test.button(key="predict").disabled


def test_too_large_a_file_is_answered_with_the_limit(service, visiting, clients_csv):
    small = service.settings.model_copy(update={"max_upload_mb": 0.001})
    service.settings = small
    session = visiting(service).open("predict")
    session.upload("predict_file", "clients.csv", clients_csv)
    assert session.test.error


def test_the_table_is_narrowed_by_search_and_amount(session, clients_csv):
    session.open("predict").upload("predict_file", "clients.csv", clients_csv).click("predict")
    amounts = session.test.dataframe[-1].value["_amount"]
    middle = float(np.floor(amounts.median()))
    low, _high = session.test.slider(key="amount_span").value
    session.test.slider(key="amount_span").set_value((low, middle))
    narrowed = session.run().test.dataframe[-1].value["_amount"]
    assert len(narrowed) == (amounts <= middle).sum()
    session.test.text_input(key="search").input("rien de tel")
    assert session.run().test.dataframe[-1].value.empty


def test_clients_unlike_the_training_data_are_marked(session, clients_csv, number_column):
    lines = clients_csv.decode().splitlines()
    place = lines[0].split(",").index(number_column.name)
    cells = lines[1].split(",")
    cells[place] = str(int(number_column.maximum))
    lines[1] = ",".join(cells)
    session.open("predict").upload("predict_file", "c.csv", "\n".join(lines).encode())
    session.click("predict")
    shown = session.test.dataframe[-1].value
    assert number_column.label("fr") in shown["_outside"].iloc[0]
    session.test.checkbox(key="only_outside").check()
    assert list(session.run().test.dataframe[-1].value["_row"])[:1] == [1]


def test_another_model_is_announced_to_an_open_page_and_used_at_its_next_run(
    two_versions_home, copying, make_settings, tmp_path, visiting, clients_csv
):
    home = copying(two_versions_home, tmp_path / "home")
    with closing(Service(make_settings(home))) as service:
        session = visiting(service).open("predict")
        session.upload("predict_file", "clients.csv", clients_csv).click("predict")
        assert "Montants de la version 2." in session.texts
        service.promote("1")
        assert "la version 1 est maintenant en service" in session.run().texts
        assert "Montants de la version 1." in session.click("predict").texts


def test_downloads_are_offered_in_four_forms(session, clients_csv):
    session.open("predict").upload("predict_file", "clients.csv", clients_csv).click("predict")
    keys = {button.key for button in session.test.download_button}
    assert keys == {"download_csv", "download_csv_excel", "download_xlsx", "download_parquet"}


def test_a_clean_file_reports_its_repairs(session, clients_csv, schema):
    rows = pa_csv.read_csv(io.BytesIO(clients_csv)).num_rows
    extra = b"\n".join(
        line + (b",autre" if number == 0 else b",x")
        for number, line in enumerate(clients_csv.strip().split(b"\n"))
    )
    session.open("predict").upload("predict_file", "clients.csv", extra)
    assert f"Lignes : {rows}" in session.texts.replace("\N{NO-BREAK SPACE}", " ")
    assert "autre" in session.texts
