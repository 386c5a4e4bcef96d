"""The whole way of each user: the analyst, the data scientist, the integrator, the operator."""

from __future__ import annotations

import io

import httpx
import openpyxl
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from conftest import NARROW, WIDE

WINDOWS = [("fr-FR", WIDE), ("en-GB", NARROW)]


def test_from_nothing_to_the_amounts_of_an_own_file_in_five_clicks(
    tmp_path, serving, visit, clients_csv
):
    analyst = visit(serving(tmp_path / "home").url).goto()
    analyst.click("train_example").has("after_predict").click("after_predict")
    analyst.has("predict_file").upload("predict_file", "mes clients.csv", clients_csv)
    analyst.has("predict").click("predict").has("download_csv").is_calm()
    assert analyst.clicks <= 5


@pytest.mark.parametrize(("locale", "size"), WINDOWS)
def test_an_analyst_takes_the_amounts_home(shared, visit, clients_csv, locale, size):
    analyst = visit(shared.url, locale=locale, size=size).goto()
    analyst.click("next_predict").has("predict_file")
    analyst.upload("predict_file", "mes clients.csv", clients_csv).has("predict").click("predict")
    analyst.has("download_csv").is_calm()
    answer = httpx.post(
        f"{shared.url}/api/predict",
        content=clients_csv,
        headers={"Content-Type": "text/csv"},
    ).json()

    word = "montants" if locale == "fr-FR" else "amounts"
    name, content = analyst.download("download_csv")
    assert name == f"mes clients_{word}.csv"
    plain = pa_csv.read_csv(io.BytesIO(content))
    assert plain["prediction"].to_pylist() == pytest.approx(answer["predictions"], abs=1e-6)
    _, content = analyst.download("download_csv_excel")
    assert content.startswith(b"\xef\xbb\xbf")
    options = pa_csv.ConvertOptions(decimal_point=",")
    french = pa_csv.read_csv(
        io.BytesIO(content),
        parse_options=pa_csv.ParseOptions(delimiter=";"),
        convert_options=options,
    )
    assert french["prediction"].to_pylist() == pytest.approx(answer["predictions"], abs=1e-6)
    _, content = analyst.download("download_parquet")
    assert pq.read_table(io.BytesIO(content)).num_rows == 200
    _, content = analyst.download("download_xlsx")
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
    assert len(list(book.active.rows)) == 201
    book.close()


@pytest.mark.parametrize(("locale", "size"), WINDOWS)
def test_an_analyst_simulates_a_client_and_shares_the_link(shared, visit, locale, size):
    analyst = visit(shared.url, locale=locale, size=size).goto("simulate").has("pair")
    value = analyst.page.locator("[data-testid=stMetricValue]").first
    before = value.inner_text()
    slider = analyst.page.locator("[class*='st-key-a_'] input[type=range]").last
    slider.focus()
    for _ in range(40):
        analyst.page.keyboard.press("ArrowRight")
    analyst.page.wait_for_function(
        "before => document.querySelector('[data-testid=stMetricValue]').innerText !== before",
        arg=before,
    )
    analyst.settle()
    colleague = visit(shared.url, locale=locale, size=size)
    colleague.goto(analyst.page.url.removeprefix(f"{shared.url}/")).has("pair")
    assert colleague.page.locator("[data-testid=stMetricValue]").first.inner_text() == (
        value.inner_text()
    )


@pytest.mark.parametrize(("locale", "size"), WINDOWS)
def test_a_data_scientist_trains_watches_cancels_promotes_and_rolls_back(
    trained_home, copying, tmp_path, serving, visit, training_csv, locale, size
):
    server = serving(copying(trained_home, tmp_path / "home"), LOANAPP_PROMOTION="manual")
    maya = visit(server.url, locale=locale, size=size).goto("train")
    changed = training_csv.replace(b"oui", b"Oui")
    maya.upload("train_file", "mars.csv", changed).has("train").click("train")
    maya.has("cancel_training").menu("models").sees("1").menu("train").has("cancel_training")
    colleague = visit(server.url).goto("train").has("cancel_training")
    colleague.click("cancel_training").sees("annulé")
    maya.has("train_again").click("train_again").has("train_file")

    seed = training_csv.rsplit(b"\n", 3)[0] + b"\n"
    maya.upload("train_file", "avril.csv", seed).has("train").click("train")
    maya.has("cancel_training").has("promote_new").is_calm()
    assert _live(server.url) == "1"
    maya.click("promote_new").has("confirm_promote")
    maya.page.locator(".st-key-why_author input").fill("Maya")
    maya.click("confirm_promote").has("after_predict")
    assert _live(server.url) == "2"

    maya.menu("models").click("rollback").click("confirm_rollback")
    maya.sees("La version 1 est en service" if locale == "fr-FR" else "Version 1 serves").is_calm()
    assert _live(server.url) == "1"
    history = httpx.get(f"{server.url}/api/history", timeout=60).json()
    assert [entry["action"] for entry in history][:2] == ["rollback", "promote"]
    assert history[1]["author"] == "Maya"


def test_an_integrators_promotion_reaches_an_open_page(
    two_versions_home, copying, tmp_path, serving, visit, clients_csv
):
    server = serving(copying(two_versions_home, tmp_path / "home"))
    analyst = visit(server.url).goto("predict")
    analyst.upload("predict_file", "c.csv", clients_csv).click("predict").sees("version 2.")
    httpx.post(f"{server.url}/api/models/1/promote", timeout=60).raise_for_status()
    analyst.settle().click("predict").sees("version 1.")


def _live(url: str) -> str:
    return str(httpx.get(f"{url}/api/health").json()["model_version"])
