"""What is said of a recording before anybody watches it."""

import tracks

from recorder.levels import Levels
from recorder.manifest import Event, Gap, Manifest, Track
from recorder.quality import judge
from recorder.verify import Verified

S = 1_000_000


def meeting(*made: Track, seconds: float = 100) -> Manifest:
    return tracks.manifest(seconds, [tracks.person("Ana", 0, seconds)], list(made))


def camera(**more: object) -> Track:
    made = Track(file="c", segment="s", participant="pana", source="camera", kind="video", codec="VP8")
    return made.model_copy(update={"duration_us": 100 * S, "frames": 3000} | more)


def microphone(**more: object) -> Track:
    made = Track(file="m", segment="s", participant="pana", source="microphone", kind="audio", codec="Opus")
    return made.model_copy(update={"duration_us": 100 * S, "frames": 5000} | more)


def test_where_all_is_well_nothing_is_found():
    report = judge(meeting(camera(lost_packets=3), microphone()), [Verified(file="c", frames=3000)], {}, {})

    assert (report.verdict, report.findings) == ("good", [])


def test_a_gap_that_was_not_wanted_is_told_and_a_muted_one_is_not():
    gaps = [
        Gap(start_us=10 * S, duration_us=5 * S, reason="nothing came"),
        Gap(start_us=50 * S, duration_us=9 * S, reason="muted"),
    ]

    report = judge(meeting(camera(start_us=2 * S, gaps=gaps)), [], {}, {})

    assert [(found.kind, found.start_ms, found.duration_ms) for found in report.findings] == [("gap", 12_000, 5_000)]
    assert report.verdict == "fair"


def test_most_of_somebody_missing_is_poor():
    report = judge(meeting(camera(gaps=[Gap(start_us=0, duration_us=30 * S, reason="nothing came")])), [], {}, {})

    assert report.verdict == "poor"


def test_a_microphone_that_was_on_and_gave_nothing_is_told():
    whole = meeting(microphone())
    levels = {"m": Levels("pana", "microphone", [0.0] * 1000, [-20.0] * 100 + [-90.0] * 400 + [-20.0] * 500, None)}

    report = judge(whole, [], levels, {})

    assert [(found.kind, found.start_ms, found.duration_ms) for found in report.findings] == [("silent", 10_000, 40_000)]
    whole.events = [
        Event(at_us=10 * S, kind="microphone-off", participant="pana"),
        Event(at_us=50 * S, kind="microphone-on", participant="pana"),
    ]
    assert judge(whole, [], levels, {}).findings == []


def test_sound_beside_its_picture_is_poor():
    report = judge(meeting(camera(clock_error_us=[0, 0, 1000]), microphone(clock_error_us=[2000, 3000, 61_000])), [], {}, {})

    assert report.av_offset_ms["pana"].model_dump() == {"start": 2.0, "middle": 3.0, "end": 60.0}
    assert [(found.kind, found.value) for found in report.findings] == [("offset", 60.0)]
    assert report.verdict == "poor"


def test_black_pictures_lost_packets_drift_and_broken_files_are_told():
    whole = meeting(camera(lost_packets=900), microphone(drift_ppm=500.0))

    report = judge(whole, [Verified(file="m", problem="cannot be read")], {}, {("pana", "camera"): [(5000, 15_000)]})

    assert sorted(found.kind for found in report.findings) == ["black", "drift", "loss", "unusable"]


def test_a_track_nobody_can_play_makes_a_recording_poor():
    verified = [Verified(file="c", problem="cannot be read"), Verified(file="m", frames=9)]

    report = judge(meeting(camera(), microphone()), verified, {}, {})

    assert [(found.kind, found.source) for found in report.findings] == [("unusable", "camera")]
    assert report.verdict == "poor"


def test_pictures_that_would_not_decode_are_told_as_lost():
    report = judge(meeting(camera()), [], {}, {}, {"c": 40})

    assert [(found.kind, found.value) for found in report.findings] == [("loss", 40)]
