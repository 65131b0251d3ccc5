"""What the host is told while it records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.watch import SOUND_ONLY_BYTES, SPARE_BYTES, alarms, hours_left, room_on_disk


def track(source="camera", age_ms=20, lost_percent=0, participant="pana"):
    return {"participant": participant, "source": source, "frame_age_ms": age_ms, "lost_percent": lost_percent}


def test_while_all_is_well_nothing_is_said():
    assert alarms([track(), track("microphone")], {}, 100_000, paused=False) == []


def test_a_microphone_that_is_on_and_silent_is_told_with_the_time_of_its_last_sound():
    (found,) = alarms([track("microphone", 4000)], {"pana": {"microphone": True}}, 100_000, paused=False)

    assert found == {"participant": "pana", "source": "microphone", "kind": "silent", "since_ms": 96_000}


def test_a_picture_that_does_not_come_is_told():
    (found,) = alarms([track("camera", 3000)], {}, 100_000, paused=False)

    assert found["kind"] == "no-picture"


@pytest.mark.parametrize("source", ["camera", "microphone"])
def test_who_has_switched_it_off_is_no_cause_for_alarm(source):
    assert alarms([track(source, 60_000)], {"pana": {source: False}}, 100_000, paused=False) == []


def test_while_paused_nothing_is_said():
    assert alarms([track("camera", 60_000)], {}, 100_000, paused=True) == []


def test_loss_is_told_in_percent():
    (found,) = alarms([track(lost_percent=4)], {}, 100_000, paused=False)

    assert (found["kind"], found["percent"]) == ("loss", 4)


def test_sound_goes_on_when_there_is_no_room_for_pictures_and_ends_before_there_is_none_to_finish():
    written = 1 << 30

    assert room_on_disk(written + SOUND_ONLY_BYTES, written) == "enough"
    assert room_on_disk(written + SOUND_ONLY_BYTES - 1, written) == "sound only"
    assert room_on_disk(written + SPARE_BYTES - 1, written) == "none"


@given(st.integers(0, 1 << 45), st.integers(0, 1 << 40), st.floats(1, 1e9))
def test_the_forecast_is_never_longer_than_the_disk(free, written, rate):
    hours = hours_left(free, written, rate)

    assert hours is not None
    assert 0 <= hours <= free / rate / 3600 + 0.1


def test_there_is_no_forecast_while_nothing_is_written():
    assert hours_left(1 << 40, 0, 0) is None
