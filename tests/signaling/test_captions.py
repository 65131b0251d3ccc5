"""Captions that a host brings for a recording: WebVTT, one a language."""

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import Cast

from signaling import errors
from signaling.library import captions as brought_captions

SAID = "WEBVTT\n\n00:00.000 --> 00:02.000\nGood morning\n"


@pytest.fixture
def recording(cast: Cast) -> str:
    _, recording, _ = cast.recorded({"ana.webm": b"her picture"})
    return recording


def brings(cast: Cast, recording: str, text: str, language: str = "en", token: str | None = None):
    return cast.door.post(f"recordings/{recording}/captions", {"text": text, "language": language}, token or cast.host_key)


def captions(brought) -> list[dict]:
    return [artifact for artifact in brought["artifacts"] if artifact["kind"] == "captions"]


def test_captions_are_kept_one_a_language_the_newest_in_place_of_the_one_before(cast: Cast, recording: str) -> None:
    brings(cast, recording, SAID)
    brings(cast, recording, SAID.replace("Good morning", "Guten Morgen"), "de")
    brought = brings(cast, recording, SAID.replace("Good", "Fine"))

    assert brought.status == 201
    found = {artifact["meta"]["language"]: cast.door.get(artifact["url"]) for artifact in captions(brought)}
    assert found.keys() == {"en", "de"}
    assert "Fine morning" in found["en"].content.decode()
    assert found["de"].headers["Content-Type"].startswith("text/vtt")


WRONG = ["hello", "WEBVTT", "WEBVTT\n\n00:xx --> 3\nhi", "\ufeff", "WEBVTT" * 1000, "1\n00:00:00,000 --> 00:00:01,000\nhi"]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_webvtt_is_refused_and_replaces_nothing(cast: Cast, recording: str, text: str) -> None:
    brings(cast, recording, SAID)

    refused = brings(cast, recording, text)

    assert (refused.status, refused["errors"][0]["field"]) == (422, "text")
    assert len(captions(brings(cast, recording, SAID, "de"))) == 2


@pytest.mark.parametrize("language", ["", "e", "../x", "en en", "e" * 40])
def test_a_language_is_a_tag(cast: Cast, recording: str, language: str) -> None:
    assert brings(cast, recording, SAID, language).status == 422


def test_only_a_host_brings_captions(cast: Cast, recording: str) -> None:
    assert brings(cast, recording, SAID, token=cast.bob.token).status == 403


lines = st.sampled_from(
    ["WEBVTT", "", "1", "00:00.000 --> 00:02.000", "00:02.000 --> 00:00.000", "NOTE", "STYLE", "REGION", "\x00", "-->"]
)


@given(st.lists(lines | st.text(max_size=30), max_size=12).map("\n".join) | st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_is_captions_or_is_refused(text: str) -> None:
    kept: list[bytes] = []
    storage = SimpleNamespace(append=lambda _recording, _name, _offset, piece, _limit: kept.append(piece.read()))
    server: Any = SimpleNamespace(storage=storage)

    with contextlib.suppress(errors.Problem):
        file = brought_captions.receive(server, "r", text, "en")
        assert file["bytes"] == len(kept[0])
        assert file["meta"]["cues"] > 0
