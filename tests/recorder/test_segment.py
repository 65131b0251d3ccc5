"""A live folder becomes files people can use, whatever state a dead recorder left it in."""

import shutil
import subprocess
import sys
from pathlib import Path

import encoded
import pytest
from encoded import AT_MS, FIRST_TICKS, HZ

from recorder import manifest, segment
from recorder.rtp.frames import Frame
from recorder.segment import LiveEvent, LivePerson, LiveSegment, LiveTrack
from recorder.track import TrackWriter
from recorder.verify import verify

BEGAN_US = AT_MS * 1000


class Folder:
    """A segment as a recorder leaves it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "live").mkdir(parents=True)
        self.live = LiveSegment(
            recording="r1", segment="s1", room="x", title="Board meeting", started_us=BEGAN_US, seen_us=BEGAN_US
        )

    def records(self, person: str, source: str, frames: list[Frame], late_ms: int = 0, ahead_us: int | None = None) -> Path:
        """late_ms: when the first frame came. ahead_us: the sender's wall clock against ours; None: it sent no reports."""
        first, hz = frames[0], HZ[frames[0].codec]
        writer = TrackWriter(self.path / "live" / f"{person}-{source}-1", hz, first)
        for frame in frames[1:]:
            writer.write(frame)
        writer.close()
        track = LiveTrack(
            file=writer.path.name, participant=person, source=source, kind="audio" if first.codec == "opus" else "video",
            codec=first.codec, clock_hz=hz, first_timestamp=first.timestamp, first_arrival_us=BEGAN_US + late_ms * 1000,
        )  # fmt: skip
        if ahead_us is not None:
            sent_us = [(first.timestamp + second * hz, BEGAN_US + second * 1_000_000) for second in range(3)]
            track.clock = [(ticks, at_us + ahead_us, at_us + 1_000) for ticks, at_us in sent_us]
        self.live.tracks.append(track)
        return writer.path

    def finalise(self) -> manifest.Manifest:
        segment.save_live(self.live, self.path)
        return segment.finalise(self.path)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "r1" / "s1")


def test_tracks_lie_where_their_senders_clocks_say_and_are_whole(folder: Folder) -> None:
    folder.records("pana", "camera", encoded.frames("vp8", 2), late_ms=120, ahead_us=77_000_000)
    folder.records("pana", "microphone", encoded.frames("opus", 2), late_ms=15, ahead_us=77_000_000)
    folder.records("pben", "camera", encoded.frames("h264", 2), late_ms=1_000)
    described = folder.finalise()
    ana, voice, ben = described.tracks
    # What is heard first was said 312 samples before its packet's timestamp (RFC 7845 section 4.2).
    assert abs(ana.start_us - voice.start_us - 6_500) <= 2_000, "one moment, though the picture came 105 ms later"
    assert ben.start_us == pytest.approx(1_006_500, abs=3_000)
    for track, frames, kind in ((ana, 50, "VP8"), (voice, 100, "Opus"), (ben, 50, "H264")):
        found = verify(folder.path / track.file)
        assert (track.frames, track.codec, found.frames, found.errors, found.in_order) == (frames, kind, frames, 0, True)
        assert track.duration_us == pytest.approx(2_000_000, abs=3_000)
        assert track.bytes == (folder.path / track.file).stat().st_size
    assert (ana.width, ana.height, voice.width) == (320, 180, None)
    assert described.duration_us == ben.end_us


def test_finalising_again_says_the_same(folder: Folder) -> None:
    folder.records("pana", "camera", encoded.frames("vp8", 1), ahead_us=0)
    first = folder.finalise()
    assert segment.finalise(folder.path) == first
    assert manifest.load(folder.path / "segment.json") == first


def test_a_segment_in_which_nobody_sent_anything_is_described(folder: Folder) -> None:
    folder.live.people.append(LivePerson(id="pana", name="Ana", joined_us=BEGAN_US))
    described = folder.finalise()
    assert (described.duration_us, described.tracks, described.participants[0].left_us) == (0, [], 0)


def test_a_track_of_which_nothing_can_be_read_does_not_take_the_others_with_it(folder: Folder) -> None:
    folder.records("pana", "camera", encoded.frames("vp8", 1))
    (folder.path / "live" / "pana-camera-1.webm").write_bytes(b"")
    folder.records("pben", "camera", encoded.frames("vp8", 1))
    gone = folder.records("pcleo", "camera", encoded.frames("vp8", 1))
    gone.unlink()
    described = folder.finalise()
    assert [track.participant for track in described.tracks] == ["pben"]


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "opus"])
def test_a_file_cut_at_any_byte_is_finalised_as_far_as_it_goes(folder: Folder, codec: str) -> None:
    path = folder.records("pana", "camera" if codec != "opus" else "microphone", encoded.frames(codec, 1.2))
    data, most = path.read_bytes(), 0
    for at in [*range(0, 700, 7), *range(700, len(data), len(data) // 25), len(data)]:
        path.write_bytes(data[:at])
        tracks = folder.finalise().tracks
        for track in tracks:
            assert verify(folder.path / track.file).frames >= track.frames - 1, at
            assert track.frames >= most - 1, at
            most = max(most, track.frames)
        for left in folder.path.glob("partial-*"):
            left.unlink()
    assert most == (30 if codec != "opus" else 60)


def test_a_pause_is_a_gap_of_its_length(folder: Folder) -> None:
    frames = encoded.frames("vp8", 2)
    for frame in frames[25:]:
        frame.timestamp += 5 * 90_000
    folder.records("pana", "camera", frames)
    (track,) = folder.finalise().tracks
    assert len(track.gaps) == 1
    assert track.gaps[0].start_us == pytest.approx(960_000, abs=2_000)
    assert track.gaps[0].duration_us == pytest.approx(5_040_000, abs=2_000)


def test_a_clock_that_runs_fast_is_put_right(folder: Folder) -> None:
    fast = 1.001
    frames = encoded.frames("opus", 4)
    folder.records("pana", "microphone", frames)
    reports = range(0, 60, 2)
    folder.live.tracks[0].clock = [
        (FIRST_TICKS + round(at * 48_000 * fast), BEGAN_US + at * 1_000_000, BEGAN_US + at * 1_000_000) for at in reports
    ]
    (track,) = folder.finalise().tracks
    assert track.drift_ppm == pytest.approx(-999, abs=2)
    assert track.duration_us == pytest.approx(4_000_000 / fast, abs=3_000)


def test_stays_and_events_lie_within_the_segment(folder: Folder) -> None:
    folder.records("pana", "camera", encoded.frames("vp8", 2))
    second = 1_000_000
    folder.live.people = [
        LivePerson(id="pana", name="Ana", joined_us=BEGAN_US - second, left_us=BEGAN_US + 900 * second),
        LivePerson(id="pben", name="Ben", joined_us=BEGAN_US + second),
    ]
    folder.live.events = [LiveEvent(at_us=BEGAN_US - second, kind="joined"), LiveEvent(at_us=BEGAN_US + second, kind="mark")]
    described = folder.finalise()
    end_us = described.duration_us
    assert [(person.joined_us, person.left_us) for person in described.participants] == [(0, end_us), (second, end_us)]
    assert [event.at_us for event in described.events] == [0, second]


def test_one_track_whose_reports_lie_does_not_make_the_recording_longer(folder: Folder) -> None:
    folder.records("pana", "camera", encoded.frames("vp8", 2), ahead_us=0)
    folder.records("pcharlie", "camera", encoded.frames("vp8", 2), late_ms=100)
    folder.live.tracks[1].clock = [(FIRST_TICKS - number * 10**12, number * 10**15, BEGAN_US) for number in range(1, 4)]
    described = folder.finalise()
    assert described.duration_us < 2_200_000
    assert described.started_at_ms == pytest.approx(AT_MS, abs=10)


def test_what_was_published_is_not_handed_in_again(folder: Folder) -> None:
    work_dir = folder.path.parent.parent
    assert segment.left_over(work_dir) == []
    segment.save_live(folder.live, folder.path)
    assert segment.left_over(work_dir) == [folder.path]
    (folder.path / "published").touch()
    assert segment.left_over(work_dir) == []
    shutil.rmtree(folder.path)
    assert segment.left_over(work_dir) == []


def test_a_gap_says_whether_it_was_wanted(folder: Folder) -> None:
    frames = encoded.frames("opus", 8)
    # Silent from 1 to 2 s, from 3 to 4 s and from 5 to 6 s.
    folder.records("pana", "microphone", [frame for n, frame in enumerate(frames) if n // 50 not in (1, 3, 5)])
    for second, kind, person in (
        (0.9, "microphone-off", "pana"), (2.1, "microphone-on", "pana"), (2.5, "microphone-off", "pben"),
        (2.9, "paused", ""), (4.1, "resumed", ""), (4.5, "camera-off", "pana"),
    ):  # fmt: skip
        folder.live.events.append(LiveEvent(at_us=BEGAN_US + round(second * 1e6), kind=kind, participant=person))
    (track,) = folder.finalise().tracks
    assert [(gap.start_us // 100_000, gap.reason) for gap in track.gaps] == [(9, "muted"), (29, "paused"), (49, "nothing came")]


def test_finalising_runs_as_a_program_of_its_own(folder: Folder) -> None:
    folder.records("pana", "camera", encoded.frames("vp8", 1))
    segment.save_live(folder.live, folder.path)
    done = subprocess.run([sys.executable, "-m", "recorder.segment", str(folder.path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    (track,) = manifest.load(folder.path / "segment.json").tracks
    assert verify(folder.path / track.file).frames == 25
