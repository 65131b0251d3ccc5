"""PROTOCOL.md is true: its examples are accepted, its routes exist, and every route is in it."""

# ruff: noqa: E501 - tables read better unbroken

import json
import re
from pathlib import Path

from people import RECORDER_KEY, Cast

from signaling import calls, schemas

TEXT = (Path(__file__).resolve().parent.parent / "PROTOCOL.md").read_text()
SHAPES = {
    "/rooms": schemas.MakeRoom, "/rooms/{room}/participants": schemas.Enter, "/leave": schemas.Leave, "/messages": schemas.Messages,
    "/mailboxes": schemas.Polls,
    "/rooms/{room}/consent": schemas.Consent,
    "/rooms/{room}/recording": schemas.RecordingAction, "/recorders": schemas.Register, "/recordings/{recording}/claim": schemas.Claim,
    "/recordings/{recording}/report": schemas.Report, "/recordings/{recording}/end": schemas.End,
    "/recordings/{recording}/artifacts": schemas.File, "/recordings/{recording}/jobs/{step}/claim": schemas.ClaimJob,
    "/recordings/{recording}/jobs/{step}": schemas.JobNews, "/recordings/{recording}/versions": schemas.MakeVersion,
}  # fmt: skip


def documented() -> set[tuple[str, str]]:
    """(method, path) of every route the text names."""
    found = re.findall(r"`(GET|POST) (/[^`?\s]*)", TEXT)
    return {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in found}


def registered() -> set[tuple[str, str]]:
    paths = calls.openapi()["paths"]
    return {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path.removeprefix(calls.PREFIX)))
        for path, operations in paths.items()
        for method in operations
    }


def test_every_route_is_in_the_protocol() -> None:
    # These two are named there by their full address.
    elsewhere = {("GET", "/openapi.json"), ("GET", "/artifacts/{}/{}")}
    assert "/api/v1/openapi.json" in TEXT
    assert "/api/v1/artifacts/" in TEXT
    assert registered() - documented() == elsewhere


def test_every_route_of_the_protocol_exists() -> None:
    assert documented() - registered() == set()


def test_openapi_names_every_shape(cast: Cast) -> None:
    document = cast.door.get("openapi.json").json
    assert document["openapi"] == "3.1.0"
    for shape in set(SHAPES.values()):
        assert shape.__name__ in document["components"]["schemas"]
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
        assert name in document["components"]["schemas"]


def examples() -> list[tuple[str, str]]:
    """(path, JSON) of every request the text shows."""
    inline = re.findall(r"`POST (/[^`?\s]*)`[^`\n]*?`(\{[^`]*\})`", TEXT)
    blocks = re.findall(r"`POST (/[^`?\s]*)` → 200\n```json\n(\{.*?\})\n```", TEXT, re.S)
    return [pair for pair in inline + blocks if pair[0] in SHAPES]


def filled(text: str) -> str:
    """An example as a real value: the first of each alternative, letters for ids, nothing left out."""
    text = re.sub(r'("[\w-]+")(?: \| "[^"]*")+', r"\1", text)
    text = text.replace(', "…"', "").replace('"meta": {…}', '"meta": {}').replace("…", "x")
    return re.sub(
        r'"(name|kind|media_type|bytes|sha256|participant|source|bytes_per_s|frame_age_ms|lost)"(?=[,}])', _a_value, text
    )


def _a_value(match: re.Match[str]) -> str:
    values = {
        "kind": '"track"',
        "media_type": '"video/webm"',
        "bytes": "1",
        "sha256": f'"{"0" * 64}"',
        "bytes_per_s": "1",
        "frame_age_ms": "1",
        "lost": "0",
    }
    return f'"{match[1]}": {values.get(match[1], chr(34) + "x" + chr(34))}'


def test_each_example_of_a_request_is_accepted() -> None:
    found = examples()
    assert len({path for path, _ in found}) >= 11, found
    for path, text in found:
        SHAPES[path].model_validate_json(filled(text))


def members(text: str) -> set[str]:
    return set(re.findall(r'"(\w+)":', text))


def test_answers_have_the_members_the_protocol_shows(cast: Cast) -> None:
    made = cast.door.post("rooms", {"title": "Board meeting"})
    assert made.json.keys() == {"room", "title", "link", "host_key"}
    joined = cast.door.post(f"rooms/{made['room']}/participants", {"name": "Ana", "host_key": made["host_key"]})
    shown = re.search(r'```json\n(\{"participant": .*?)\n```', TEXT, re.S)[1]
    assert joined.json.keys() <= members(shown)
    assert joined["participant"].keys() == {"id", "name", "kind", "role", "joined_at_ms"}
    assert cast.door.get(f"rooms/{cast.room}").json.keys() == {
        "room",
        "title",
        "participants",
        "max_participants",
        "recording",
        "consent",
        "lobby",
        "locked",
        "has_code",
    }
    assert cast.bob.ask().json.keys() == {"messages", "wait_s"}


def test_a_recording_has_the_members_the_protocol_shows(cast: Cast) -> None:
    cast.recorded()
    found = cast.door.get(f"rooms/{cast.room}/recordings", cast.host_key)["recordings"][0]
    shown = members(re.search(r"newest first:\n```json\n(.*?)\n```", TEXT, re.S)[1])
    assert found.keys() - shown == {"wanted"}
    assert found["artifacts"][0].keys() <= shown
    assert found["jobs"][0].keys() <= shown


def test_refusals_look_like_the_protocols_example(cast: Cast) -> None:
    refused = cast.door.get("mailbox", "pt_wrong")
    shown = re.search(r'\{"type": "/problems.*\}', TEXT)[0]
    assert refused.json.keys() == json.loads(shown).keys()


def test_the_recorder_key_opens_only_the_recorders_calls(cast: Cast) -> None:
    assert cast.door.get("mailbox", RECORDER_KEY).status == 401
    assert cast.door.get(f"rooms/{cast.room}/recordings", RECORDER_KEY).status == 401
