"""One track to one file, as it comes: encoded frames into Matroska, nothing decoded.

Clusters are closed twice a second and flushed: kill -9 loses at most the last half second. The file's own time begins at 0 with
its first frame and follows the sender's RTP clock; where it lies on the recording's timeline is said by `segment.py`.
"""

import errno
import io
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from recorder.rtp.frames import Frame

CLUSTER_MS = 500
SUFFIX = {"opus": ".webm", "vp8": ".webm", "vp9": ".webm", "h264": ".mkv"}
FORMAT = {".webm": "webm", ".mkv": "matroska"}
# How a key frame of profile 0 begins, beside two flags (VP9 bitstream specification, section 6.2).
VP9_KEY, VP9_SYNC = 0x80, b"\x49\x83\x42"


@cache
def _opus_template() -> Any:
    """A stream that says what an Opus track's header must: PyAV can copy codec data from a stream, but not set it."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 960), dtype=np.int16), format="s16", layout="stereo")
        frame.rate = 48_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    buffer.seek(0)
    return av.open(buffer)


def _video_template(frame: Frame) -> Any:
    """A container whose stream is like the track: for H.264 read from its own key frame, for VP8 and VP9 from its size."""
    if frame.codec == "h264":
        return av.open(io.BytesIO(frame.data), format="h264")
    if frame.codec == "vp9" and (frame.data[0] & 0xFC != VP9_KEY or frame.data[1:4] != VP9_SYNC):
        # FFmpeg would wait for what is to be shown after it, and write nothing meanwhile.
        raise OSError(errno.EBADMSG, "no key frame of VP9")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="ivf") as container:
        width, height = frame.size or (640, 480)
        stream = container.add_mux_stream(frame.codec, width=width, height=height)
        stream.time_base = Fraction(1, 90_000)
        packet = av.Packet(frame.data)
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 90_000)
        container.mux(packet)
    buffer.seek(0)
    return av.open(buffer)


class TrackWriter:
    """path without suffix: the codec decides it.

    Beginning raises av.FFmpegError or OSError when the first frame does not say enough, and leaves no file.
    write(frame): frame.timestamp in ticks of clock_hz; one that goes back is dropped.
    close(): may be called twice; after it the file is complete.
    """

    def __init__(self, base: Path, clock_hz: int, first: Frame) -> None:
        self.path = base.with_suffix(SUFFIX[first.codec])
        self.codec, self.clock_hz = first.codec, clock_hz
        self.first_timestamp, self.first_arrival_ms = first.timestamp, first.arrival_ms
        self.size = first.size
        self.frames = self.bytes = self.lost = 0
        self._time_base = Fraction(1, clock_hz)
        self._last = -1
        template = _opus_template() if first.codec == "opus" else _video_template(first)
        options = {"cluster_time_limit": str(CLUSTER_MS), "flush_packets": "1"}
        self._container: Any = av.open(str(self.path), "w", format=FORMAT[self.path.suffix], options=options)
        self._stream = self._container.add_stream_from_template(template.streams[0])
        self._stream.time_base = self._time_base
        try:
            self.write(first)
        except (av.FFmpegError, OSError):
            self.close()
            self.path.unlink(missing_ok=True)
            raise

    @property
    def ticks(self) -> int:
        """From the first frame to the last, in ticks of clock_hz."""
        return max(self._last, 0)

    def write(self, frame: Frame) -> None:
        pts = frame.timestamp - self.first_timestamp
        if self._container is None or pts <= self._last:
            return
        packet = av.Packet(frame.data)
        packet.stream, packet.time_base = self._stream, self._time_base
        packet.pts = packet.dts = pts
        packet.is_keyframe = frame.is_key
        self._container.mux(packet)
        self._last = pts
        self.frames += 1
        self.bytes += len(frame.data)
        self.lost += frame.lost

    def close(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            container.close()
