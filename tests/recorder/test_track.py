"""What is written as it comes can be played, also when the recorder was killed in the middle of it."""

from pathlib import Path
from typing import Any

import av
import encoded
import pytest

from recorder.rtp.frames import Frame
from recorder.track import CLUSTER_MS, TrackWriter

CODECS = ["vp8", "vp9", "h264", "opus"]


def write(folder: Path, frames: list[Frame], close: bool = True) -> TrackWriter:
    writer = TrackWriter(folder / "track", encoded.HZ[frames[0].codec], frames[0])
    for frame in frames[1:]:
        writer.write(frame)
    if close:
        writer.close()
    return writer


def decode(path: Path) -> tuple[list[float], set[tuple[int, int]]]:
    """Times of all decoded frames in seconds, and the pictures' sizes."""
    times, sizes = [], set()
    container: Any
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams[0]):
            for frame in packet.decode():
                times.append(float(frame.pts * frame.time_base))
                if isinstance(frame, av.VideoFrame):
                    sizes.add((frame.width, frame.height))
    return times, sizes


@pytest.mark.parametrize("codec", CODECS)
def test_every_frame_that_was_written_can_be_decoded_at_its_time(tmp_path: Path, codec: str) -> None:
    frames = encoded.frames(codec, 3)
    writer = write(tmp_path, frames)
    times, sizes = decode(writer.path)
    wanted = [(frame.timestamp - frames[0].timestamp) / encoded.HZ[codec] for frame in frames]
    assert times == pytest.approx(wanted, abs=0.0011 if codec != "opus" else 0.008)
    assert sizes == ({(320, 180)} if codec != "opus" else set())
    assert (writer.frames, writer.bytes) == (len(frames), sum(len(frame.data) for frame in frames))


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264"])
def test_a_sender_that_changes_its_size_goes_on_in_the_same_file(tmp_path: Path, codec: str) -> None:
    small, large = encoded.frames(codec, 1), encoded.frames(codec, 1, (640, 360))
    for frame in large:
        frame.timestamp += 90_000
    writer = write(tmp_path, small + large)
    times, sizes = decode(writer.path)
    assert sizes == {(320, 180), (640, 360)}
    assert len(times) == 50


@pytest.mark.parametrize("codec", CODECS)
def test_of_a_killed_recorder_at_most_the_last_half_second_is_missing(tmp_path: Path, codec: str) -> None:
    frames = encoded.frames(codec, 3)
    writer = write(tmp_path, frames, close=False)
    left = tmp_path / f"left{writer.path.suffix}"
    left.write_bytes(writer.path.read_bytes())  # what is on the disk at this moment
    writer.close()
    times, _ = decode(left)
    assert times[-1] >= 3 - CLUSTER_MS / 1000 - 0.1


@pytest.mark.parametrize("codec", CODECS)
def test_a_file_cut_anywhere_gives_all_whole_clusters_before_the_cut(tmp_path: Path, codec: str) -> None:
    writer = write(tmp_path, encoded.frames(codec, 2), close=False)
    data = writer.path.read_bytes()
    writer.close()
    # Matroska's cluster id (RFC 9559 section 5.1.3).
    clusters = [at for at in range(len(data)) if data[at : at + 4] == b"\x1f\x43\xb6\x75"]
    assert len(clusters) >= 3
    cut, before = tmp_path / f"cut{writer.path.suffix}", 0
    for at in sorted({*range(clusters[1], len(data), 211), *clusters[1:], *(cluster + 5 for cluster in clusters[1:])}):
        cut.write_bytes(data[:at])
        times, _ = decode(cut)
        assert len(times) >= before, at
        assert times[-1] >= 0.45 * (sum(cluster < at for cluster in clusters) - 1) - 0.1, at
        before = max(before, len(times) - 1)


def test_a_frame_that_goes_back_in_time_is_left_out(tmp_path: Path) -> None:
    frames = encoded.frames("opus", 1)
    writer = write(tmp_path, [*frames[:10], frames[4], *frames[10:]])
    assert len(decode(writer.path)[0]) == len(frames)


def test_closing_twice_and_writing_after_it_do_no_harm(tmp_path: Path) -> None:
    frames = encoded.frames("vp8", 1)
    writer = write(tmp_path, frames[:-1])
    writer.close()
    writer.write(frames[-1])
    assert len(decode(writer.path)[0]) == len(frames) - 1


def test_a_first_frame_that_cannot_be_described_leaves_no_file_behind(tmp_path: Path) -> None:
    with pytest.raises((av.FFmpegError, IndexError)):
        TrackWriter(tmp_path / "track", 90_000, Frame("h264", 1, b"\x00\x00\x00\x01\x65", True, 1))
    assert list(tmp_path.iterdir()) == []
