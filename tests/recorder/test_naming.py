"""Whatever people call themselves, the name is a name on every disk."""

from hypothesis import given
from hypothesis import strategies as st

from recorder import naming


def test_names_say_what_when_and_whose() -> None:
    assert naming.track_name("2026-11-23", "Board meeting", "Ana", "camera", ".webm") == (
        "2026-11-23 Board meeting – Ana (camera).webm"
    )
    assert (
        naming.track_name("2026-11-23", "", "Ana", "screen-sound", ".mka", number=2)
        == "2026-11-23 Recording – Ana (screen sound 2).mka"
    )
    assert naming.track_name("2026-11-23", "", "Ana", "camera", ".webm", 2) == "2026-11-23 Recording, part 2 – Ana (camera).webm"
    assert naming.composed_name(naming.date_of(1_795_470_000_000), "Board meeting", ".mp4") == "2026-11-23 Board meeting.mp4"


def test_a_path_or_a_trick_is_only_letters() -> None:
    assert naming.safe("../../etc/passwd") == "etc passwd"
    assert naming.safe("a\u202egpj.exe") == "a gpj.exe"
    assert naming.safe("...") == "Recording"


@given(st.text(), st.text())
def test_any_text_makes_a_safe_name(title: str, person: str) -> None:
    for name in (
        naming.track_name("2026-11-23", title, person, "camera", ".webm"),
        naming.composed_name("2026-11-23", title, ".mp4"),
    ):
        assert len(name.encode()) <= 200
        assert not set(name) & set('/\\\0<>:"|?*\n')
        assert name.startswith("2026-11-23 ")
        assert name.endswith((".webm", ".mp4"))
