"""One person alone, or one voice: their tracks are the film. Packets are copied, nothing is decoded: an hour takes seconds."""

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from heapq import merge
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av

from recorder.compose import Progress
from recorder.manifest import Manifest, Track, agreed, switched_off

# What a film may lack at its ends, or in the middle, before something must be drawn there, microseconds.
MAY_LACK_US = 2_000_000
GAIN_AT = 16
AS_IT_IS: Mapping[str, float] = MappingProxyType({})
# By so much a track may go on when its recording is over.
MAY_OUTLAST_US = 200_000
US = Fraction(1, 1_000_000)
# They play while they load. A page of sound: what a lost packet may move at most, microseconds.
OPTIONS = {".mp4": {"movflags": "+faststart"}, ".webm": {"cues_to_front": "1"}, ".ogg": {"page_duration": "100000"}}


def suffix(whole: Manifest) -> str | None:
    """`.webm`, `.mp4` or `.ogg`; None where something must be drawn or mixed.

    One person who had agreed all the time, one camera that was never off, one microphone at most, no screen, one segment. Or one
    voice of whomever, and nothing to be seen.
    """
    video = [track for track in whole.tracks if track.kind == "video"]
    audio = [track for track in whole.tracks if track.kind == "audio"]
    if not video and len(audio) == 1 and not _is_cut(whole):
        return _of_voice(audio[0], whole.duration_us)
    if len(whole.participants) != 1 or _is_cut(whole) or len(whole.segments) > 1 or len(video) != 1 or len(audio) > 1:
        return None
    (camera,) = video
    alone = whole.participants[0].id
    if camera.source != "camera" or any(track.participant != alone for track in whole.tracks):
        return None
    if not _covers(camera, whole.duration_us) or switched_off(whole, alone, "camera"):
        return None
    if sum(end - start for start, end in agreed(whole, alone)) < whole.duration_us - MAY_LACK_US:
        return None
    return {"VP8": ".webm", "VP9": ".webm", "H264": ".mp4"}.get(camera.codec)


def _of_voice(voice: Track, duration_us: int) -> str | None:
    """Ogg says the time of a page, not of a packet: one with holes would be heard before its time."""
    return ".ogg" if voice.codec == "Opus" and _covers(voice, duration_us) and not voice.gaps else None


def _is_cut(whole: Manifest) -> bool:
    """A stretch of a recording: a copy can begin at key frames only."""
    return any(track.start_us < 0 or track.end_us > whole.duration_us + MAY_OUTLAST_US for track in whole.tracks)


def _covers(track: Track, duration_us: int) -> bool:
    longest = max((gap.duration_us for gap in track.gaps), default=0)
    return track.start_us <= MAY_LACK_US and track.end_us >= duration_us - MAY_LACK_US and longest <= MAY_LACK_US


def remux(
    whole: Manifest,
    folder: Callable[[Track], Path],
    target: Path,
    progress: Progress = lambda _percent, _eta: None,
    gains: Mapping[str, float] = AS_IT_IS,
) -> None:
    """Write the film. Whole or not at all. gains: a track's file → by how much players shall make it louder, a factor."""
    partial = target.with_name("partial-" + target.name)
    options = OPTIONS[target.suffix]
    sources: list[Any] = [av.open(str(folder(track))) for track in whole.tracks]
    try:
        with av.open(str(partial), "w", format=target.suffix[1:], options=options) as container:
            streams = [container.add_stream_from_template(source.streams[0]) for source in sources]
            for stream, track in zip(streams, whole.tracks, strict=True):
                _say_gain(stream, gains.get(track.file, 1.0))
            tracks = [
                _packets(source, track.start_us, stream)
                for source, track, stream in zip(sources, whole.tracks, streams, strict=True)
            ]
            for count, (at_us, _, packet) in enumerate(merge(*tracks, key=lambda one: one[:2])):
                container.mux(packet)
                if count % 1000 == 0:
                    progress(min(100.0, at_us * 100 / max(1, whole.duration_us)), None)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        for source in sources:
            source.close()
    partial.replace(target)
    progress(100, 0)


def _say_gain(stream: Any, gain: float) -> None:
    """Opus packets need not be touched to sound louder: their header says by how much (RFC 7845 section 5.1, output gain)."""
    head = bytearray(stream.codec_context.extradata or b"")
    if gain > 0 and head[:8] == b"OpusHead" and len(head) >= 19:
        struct.pack_into("<h", head, GAIN_AT, round(20 * math.log10(gain) * 256))
        stream.codec_context.extradata = bytes(head)


def _packets(source: Any, start_us: int, stream: Any) -> Iterator[tuple[int, int, Any]]:
    """(time on the timeline, number of the stream, packet)."""
    for packet in source.demux(source.streams[0]):
        if packet.pts is None:
            continue
        at_us = start_us + round(packet.pts * packet.time_base / US)
        packet.pts = packet.dts = at_us
        packet.time_base = US
        packet.stream = stream
        yield at_us, stream.index, packet
