"""An operator restarts the server, or points the pages at a remote API."""

from __future__ import annotations


def test_a_page_goes_on_after_the_server_was_restarted(
    trained_home, copying, tmp_path, serving, visit, clients_csv
):
    server = serving(copying(trained_home, tmp_path / "home"))
    analyst = visit(server.url).goto("predict").has("predict_file")
    server.stop()
    analyst.page.locator(
        "[data-testid=stApp]:not([data-test-connection-state=CONNECTED])"
    ).wait_for()
    server.start()
    analyst.page.wait_for_function(
        "document.querySelector('[data-testid=stApp]').dataset.testConnectionState === 'CONNECTED'"
    )
    analyst.settle().upload("predict_file", "c.csv", clients_csv).has("predict").click("predict")
    analyst.has("download_csv").is_calm()


def test_the_pages_work_on_a_remote_api(
    trained_home, copying, tmp_path, serving, visit, clients_csv
):
    api = serving(copying(trained_home, tmp_path / "remote"), "api")
    app = serving(tmp_path / "here", LOANAPP_REMOTE_URLS=f"{api.url},http://127.0.0.1:9")
    operator = visit(app.url).goto("settings").has("connection")
    options = operator.page.locator(".st-key-connection label[data-testid=stRadioOption], "
                                    ".st-key-connection [role=radiogroup] label")  # fmt: skip
    options.nth(2).click()
    operator.sees("Pas de connexion.")
    options.nth(1).click()
    operator.sees("la version 1 est en service").menu("predict").has("predict_file")
    operator.upload("predict_file", "c.csv", clients_csv).has("predict").click("predict")
    operator.has("download_csv").is_calm()
