"""No log holds a name or the value of a cell, whatever goes wrong with a file."""

import io
import logging

import pytest

from loanapp.core.data.samples import NAMES
from loanapp.core.logs import configure_logging

SECRET = "Zygmunt Świętopełk"


@pytest.fixture(params=[False, True], ids=["text", "json"])
def log_file(request, home, make_settings):
    """Logs go where a server's go."""
    logger = logging.getLogger("loanapp")
    before = (logger.handlers[:], logger.level, logger.propagate)
    logger.handlers = []
    configure_logging(make_settings(home, log_json=request.param), "api", terminal=False)
    yield home / "logs" / "api.log"
    for handler in logger.handlers:
        handler.close()
    logger.handlers, logger.level, logger.propagate = before


def test_what_is_predicted_or_refused_is_not_logged(log_file, api_client, clients_csv):
    lines = clients_csv.decode().splitlines()
    row = lines[1].split(",")
    named = [SECRET if cell in NAMES else cell for cell in row]
    region = lines[0].split(",").index("region")
    broken = [*named[:region], SECRET, *named[region + 1 :]]
    for client in (named, broken):
        content = "\n".join([lines[0], ",".join(client)]).encode()
        for call in ("/predict", "/inspect?purpose=predict", "/train"):
            api_client.post(call, content=content, headers={"Content-Type": "text/csv"})
    logging.getLogger("loanapp").warning("the end")
    assert "the end" in log_file.read_text("utf-8")
    assert SECRET not in log_file.read_text("utf-8")


def test_an_error_is_logged_with_its_place_and_without_its_own_words(log_file):
    try:
        try:
            float(SECRET)
        except ValueError as error:
            raise OSError(28, "No space left on device", SECRET) from error
    except OSError:
        logging.getLogger("loanapp.core").exception("training failed")
    told = log_file.read_text("utf-8")
    assert SECRET not in told
    assert "ValueError" in told
    assert "OSError: No space left on device" in told
    assert "test_logs.py" in told


def test_a_training_leaves_no_name_behind_outside_of_the_request(trained_home):
    files = [*trained_home.glob("logs/*"), *trained_home.glob("jobs/*/*")]
    text = "".join(path.read_text("utf-8", "replace") for path in files)
    assert "finished" in text
    assert [name for name in NAMES if name in text] == []


def test_a_refused_training_file_is_not_logged(log_file, service, training_csv):
    broken = training_csv.replace(b",Normandie,", f",{SECRET},".encode())
    assert not service.inspect(io.BytesIO(broken), "train").valid
    assert not log_file.exists() or SECRET not in log_file.read_text("utf-8")
