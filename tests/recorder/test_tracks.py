"""From streams to files: which frame goes where, when streams begin anew, pause, or cannot be written."""

import errno
from pathlib import Path

import encoded
import pytest
from encoded import AT_MS, HZ

from recorder.passthrough import Stream
from recorder.rtp.frames import Frame
from recorder.rtp.intake import Intake
from recorder.segment import LiveSegment
from recorder.track import TrackWriter
from recorder.tracks import Tracks
from recorder.verify import verify


class Desk:
    """Tracks of one segment, and what became of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.live = LiveSegment(recording="r1", segment="s1", room="x", title="", started_us=AT_MS * 1000, seen_us=AT_MS * 1000)
        self.saved: list[list[str]] = []
        self.tracks = Tracks(self.live, folder, self._save)

    def _save(self) -> None:
        self.saved.append([track.file for track in self.live.tracks])

    def take(self, stream: Stream, frames: list[Frame], source: str = "camera") -> None:
        for frame in frames:
            self.tracks.take("pana", source, stream, frame)

    def written(self) -> list[int]:
        """Frames in each file that can be decoded."""
        self.tracks.close()
        return [verify(self.folder / "live" / track.file).frames for track in self.live.tracks]


def stream(codec: str, ssrc: int = 1) -> Stream:
    return Stream(ssrc, Intake(codec, HZ[codec]))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_each_source_has_its_file(desk: Desk) -> None:
    desk.take(stream("vp8", 1), encoded.frames("vp8", 1))
    desk.take(stream("opus", 2), encoded.frames("opus", 1), "microphone")
    assert desk.written() == [25, 50]
    assert [track.source for track in desk.live.tracks] == ["camera", "microphone"]


def test_a_codec_that_changes_and_changes_back_loses_nothing(desk: Desk) -> None:
    # The second VP8 stream counts its time from anew: in the first one's file all of it would lie in the past.
    later = encoded.frames("vp8", 1)
    for frame in later:
        frame.timestamp -= 1 << 31
    desk.take(stream("vp8"), encoded.frames("vp8", 1))
    desk.take(stream("h264"), encoded.frames("h264", 1))
    desk.take(stream("vp8"), later)
    assert desk.written() == [25, 25, 25]


def test_while_paused_nothing_is_written_and_afterwards_it_begins_with_a_key_frame(desk: Desk) -> None:
    one, frames = stream("vp8"), encoded.frames("vp8", 3)
    desk.take(one, frames[:25])
    desk.tracks.paused = True
    desk.take(one, frames[25:40])
    desk.tracks.paused = False
    desk.take(one, frames[40:])
    assert desk.written() == [25 + 25]


def test_a_track_that_could_not_begin_waits_for_a_frame_with_which_it_can(desk: Desk) -> None:
    frames = encoded.frames("h264", 2)
    key = frames[0].data
    frames[0].data = key[key.index(b"\x65\x88") - 4 :] if b"\x65\x88" in key else b"\x00\x00\x00\x01\x65"
    one = stream("h264")
    desk.take(one, frames)
    assert desk.written() == [25]
    assert len(list((desk.folder / "live").iterdir())) == 1


def test_a_full_disk_for_one_track_closes_the_others_all_the_same(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.take(stream("vp8", 1), encoded.frames("vp8", 1))
    desk.take(stream("vp8", 2), encoded.frames("vp8", 1))
    close, failed = TrackWriter.close, []

    def close_once(writer: TrackWriter) -> None:
        if not failed:
            failed.append(writer)
            raise OSError(errno.ENOSPC, "No space left on device")
        close(writer)

    monkeypatch.setattr(TrackWriter, "close", close_once)
    desk.tracks.close()
    monkeypatch.undo()
    assert verify(desk.folder / "live" / desk.live.tracks[1].file).duration_us == pytest.approx(1_000_000, abs=2_000)


def test_health_tells_bytes_a_second_of_each_track(desk: Desk) -> None:
    frames = encoded.frames("opus", 1)
    desk.take(stream("opus"), frames, "microphone")
    (found,) = desk.tracks.health(2.0)
    assert found["bytes_per_s"] == round(sum(len(frame.data) for frame in frames) / 2)
    assert desk.tracks.health(2.0)[0]["bytes_per_s"] == 0


def test_a_track_is_saved_as_soon_as_it_has_begun(desk: Desk) -> None:
    desk.take(stream("vp8", 1), encoded.frames("vp8", 1)[:1])
    desk.take(stream("opus", 2), encoded.frames("opus", 1)[:1], "microphone")
    assert desk.saved == [["pana-camera-1.webm"], ["pana-camera-1.webm", "pana-microphone-2.webm"]]


def test_who_has_left_is_not_reported_as_silent(desk: Desk) -> None:
    desk.take(stream("vp8", 1), encoded.frames("vp8", 1))
    desk.take(stream("opus", 2), encoded.frames("opus", 1), "microphone")
    desk.tracks.end("pana", "camera")
    assert [track["source"] for track in desk.tracks.health(1.0)] == ["microphone"]
    desk.tracks.end("pana")
    assert desk.tracks.health(1.0) == []
    assert desk.written() == [25, 50]


def test_a_screen_that_is_shown_again_gets_a_new_file_which_begins_with_a_key_frame(desk: Desk) -> None:
    one, frames = stream("vp8"), encoded.frames("vp8", 3)
    desk.take(one, frames[:25], "screen")
    desk.tracks.end("pana", "screen")
    desk.take(one, frames[30:], "screen")
    assert desk.written() == [25, 25]
    assert [track.file for track in desk.live.tracks] == ["pana-screen-1.webm", "pana-screen-2.webm"]


def test_bytes_on_disk_are_counted_over_closed_files_too(desk: Desk) -> None:
    frames = encoded.frames("vp8", 1)
    desk.take(stream("vp8", 1), frames)
    desk.tracks.end("pana")
    desk.take(stream("vp8", 2), frames)
    assert desk.tracks.bytes == 2 * sum(len(frame.data) for frame in frames)


def test_a_full_disk_is_told_and_kills_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    one, frames = stream("vp8"), encoded.frames("vp8", 1)
    desk.take(one, frames[:10])

    def full(writer: TrackWriter, frame: Frame) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TrackWriter, "write", full)
    desk.take(one, frames[10:12])
    monkeypatch.undo()
    assert desk.tracks.trouble == "The recorder could not write to its disk: No space left on device."
    assert desk.written() == [10]
