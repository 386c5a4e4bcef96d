"""The contract says what a client file is, and refuses what is no contract."""

import json
import subprocess
import sys

import pytest

from loanapp.core.data.schema import load_schema, parse_schema
from loanapp.core.errors import InvalidSchema


def document(**target):
    fields = [
        {"name": "surface", "type": "number", "constraints": {"minimum": 5}},
        {"name": "garden", "type": "boolean", "role": "protected"},
        {"name": "rent", "type": "number", "role": "target", **target},
    ]
    return {"fields": fields}


def test_the_built_in_contract_is_the_lender_s():
    schema = load_schema()
    assert schema.target.name == "montant_pret"
    assert len(schema.features()) == 10
    assert [f.name for f in schema.identifiers] == ["nom", "prenom"]
    assert schema.cut == "auto"


def test_lawful_features_leave_the_protected_ones_out():
    schema = load_schema()
    lawful = {f.name for f in schema.features("lawful")}
    assert lawful == {"age", "sport_licence", "niveau_etude", "revenu_estime_mois"}
    assert lawful.isdisjoint(f.name for f in schema.protected)


def test_every_field_has_texts_in_both_languages():
    for field in load_schema().fields:
        for language in ("fr", "en"):
            assert field.label(language)
            assert field.describe(language)


def test_a_boolean_is_a_category_of_two():
    assert parse_schema(document()).by_name["garden"].enum == ("true", "false")


@pytest.mark.parametrize(
    ("cut", "expected"),
    [("auto", "auto"), (None, None), ({"floor": 10}, (10.0, None))],
)
def test_the_cut_is_automatic_given_or_absent(cut, expected):
    assert parse_schema(document(cut=cut)).cut == expected


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({}, "fields"),
        ({"fields": []}, "fields"),
        ({"fields": [{"name": "rent", "type": "number"}]}, "target"),
        ({"fields": [{"type": "number"}]}, "name"),
        ({"fields": [{"name": "x", "type": "geopoint"}]}, "geopoint"),
        ({"fields": [{"name": "x", "role": "king"}]}, "king"),
        (document(type="string"), "rent"),
        (document(cut="somewhere"), "cut"),
        (document(cut={"floor": 10, "ceiling": 10}), "floor"),
        ({"fields": document()["fields"] * 2}, "same name"),
        ({"fields": document()["fields"][1:]}, "feature"),
    ],
)
def test_what_is_no_contract_is_refused_and_says_why(broken, said):
    with pytest.raises(InvalidSchema, match=said):
        parse_schema(broken)


def test_a_contract_is_read_from_a_file(tmp_path):
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(document()), "utf-8")
    assert load_schema(path).target.name == "rent"
    path.write_text("{", "utf-8")
    with pytest.raises(InvalidSchema, match=r"contract\.json"):
        load_schema(path)


def test_reading_a_contract_imports_nothing_heavy():
    code = (
        "import sys; from loanapp.core.data.schema import load_schema; load_schema();"
        "heavy = {'pandas', 'numpy', 'mlflow', 'tensorflow', 'keras', 'sklearn', 'pyarrow'};"
        "print(*heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
