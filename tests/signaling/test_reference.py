"""The page `/api` shows the whole OpenAPI document, without a script and in the contract's own words."""

import json
import re

import pytest

from signaling import answers, calls, openapi, reference
from signaling.api import api  # noqa: F401 - describes every call
from tests.people import House


@pytest.fixture
def here(sqlite, open_house) -> House:
    return open_house(sqlite.settings())


def page(house: House, language: str = "en") -> str:
    return house.ask("GET", f"/api?lang={language}").content.decode()


def operations() -> list[tuple[str, str, dict]]:
    return [
        (method.upper(), path.removeprefix(calls.PREFIX), operation)
        for path, found in calls.openapi()["paths"].items()
        for method, operation in found.items()
    ]


def all_calls() -> list[reference.Call]:
    return [call for group in reference.groups() for call in group.calls]


def test_every_call_of_the_document_is_on_the_page_once(here):
    shown = re.findall(r'data-method="(\w+)" data-path="([^"]+)"', page(here))

    assert sorted(shown) == sorted((method, path) for method, path, _ in operations())


def test_every_member_of_every_body_is_on_the_page_with_its_call():
    schemas = calls.openapi()["components"]["schemas"]
    named = {call.id: {field.name for field in call.fields} for call in all_calls()}

    for _, path, operation in operations():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        members = schemas.get(content.get("$ref", "").rpartition("/")[2], {}).get("properties", {})
        assert set(members) <= named[operation["operationId"]], path


def test_every_parameter_and_every_status_is_on_the_page_with_its_call():
    shown = {call.id: call for call in all_calls()}

    for _, path, operation in operations():
        behind = {one["name"] for one in operation["parameters"] if one["in"] == "query"}
        assert {one.name for one in shown[operation["operationId"]].query} == behind, path
        assert shown[operation["operationId"]].statuses == tuple(operation["responses"]), path


def test_every_call_says_what_it_answers():
    told = {(item["method"], openapi.template(item["path"])) for item in calls.described}

    assert told == answers.SAYS.keys()


def test_each_call_says_what_the_contract_says_of_it():
    unsaid = [call.path for call in all_calls() if not call.says]

    assert unsaid == ["/openapi.json"]


def test_each_example_has_the_shape_its_call_asks_for():
    shapes = {(item["method"], re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", item["path"])): item["shape"] for item in calls.described}

    for call in all_calls():
        sent = re.search(r"-d '(.*)'", call.curl)
        shape = shapes[call.method, call.path]
        assert (sent is not None) == (shape is not None), call.path
        if sent:
            shape.model_validate(json.loads(sent[1]))


def test_each_example_says_who_is_calling_unless_anyone_may():
    for call in all_calls():
        assert ("Authorization" in call.curl) == (call.who != "anyone"), call.path


def test_it_speaks_the_visitors_language_and_asks_no_other_server(here):
    assert "Ablehnungen" in page(here, "de")
    assert "Refusals" in page(here, "en")
    assert re.findall(r'(?:src|href)="(https?:[^"]*)"', page(here)) == []
    assert not re.search(r">(api|embed)\.[a-z.]+<", page(here))


def test_the_start_page_leads_to_it(here):
    assert 'href="/api"' in here.ask("GET", "/").content.decode()
