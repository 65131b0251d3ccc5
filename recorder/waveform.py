"""waveform.json: what the page draws to seek by (PROTOCOL.md, "The waveform")."""

from collections.abc import Sequence
from itertools import zip_longest

from pydantic import BaseModel

from recorder.levels import PER_SECOND, Levels
from recorder.manifest import Manifest
from recorder.sound import LOUDEST
from recorder.speaking import spans


class Speaker(BaseModel):
    """spans: milliseconds of the timeline."""

    participant: str
    name: str
    spans: list[tuple[int, int]]


class Waveform(BaseModel):
    """peaks: of all voices together, 0 to 255, per_second of them. gains: a track's file → the factor its sound needs."""

    version: int = 1
    per_second: int = PER_SECOND
    peaks: list[int] = []
    speaking: list[Speaker] = []
    gains: dict[str, float] = {}

    def spans_us(self, zero_us: int = 0) -> dict[str, list[tuple[int, int]]]:
        """participant → when they spoke, microseconds from zero_us on."""
        return {
            one.participant: [(start * 1000 - zero_us, end * 1000 - zero_us) for start, end in one.spans if end * 1000 > zero_us]
            for one in self.speaking
        }


    def gains_without_clipping(self) -> dict[str, float]:
        """The gains, but no louder than the loudest moment of all allows: a player cannot turn down what is too loud."""
        most = LOUDEST * 255 / max([1, *self.peaks])
        return {file: min(gain, max(1.0, most)) for file, gain in self.gains.items()}


def draw(whole: Manifest, measured: Sequence[tuple[str, Levels]]) -> Waveform:
    """measured: (file, levels) of each audio track."""
    peaks = [min(255, round(max(each) * 255)) for each in zip_longest(*(levels.peaks for _, levels in measured), fillvalue=0.0)]
    length = round(whole.duration_us * PER_SECOND / 1e6)
    speakers = []
    for person in whole.participants:
        theirs = [levels for _, levels in measured if (levels.participant, levels.source) == (person.id, "microphone")]
        found = sorted(span for levels in theirs for span in spans(levels.rms_db))
        spoken = [(start // 1000, end // 1000) for start, end in found]
        speakers.append(Speaker(participant=person.id, name=person.name, spans=spoken))
    return Waveform(
        peaks=(peaks + [0] * length)[:length],
        speaking=speakers,
        gains={file: round(levels.gain, 3) for file, levels in measured},
    )
