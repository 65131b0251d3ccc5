"""Chapters of a film: the moments people have marked, and who came. Pure, but for the words."""

from typing import NamedTuple

from recorder.manifest import Manifest
from recorder.words import word

# Who was there when it began did not come; chapters nearer than this are one.
APART_US = 3_000_000


class Chapter(NamedTuple):
    """From start_us to end_us on the timeline."""

    start_us: int
    end_us: int
    title: str


def chapters(whole: Manifest) -> list[Chapter]:
    """Without holes, in order; none for a recording in which nothing was marked and nobody came."""
    language = whole.consent[-1].language if whole.consent else "en"
    marks = [event for event in whole.events if event.kind == "mark"]
    begins = {
        event.at_us: str(event.body.get("label") or word("chapter.mark", language).format(number=number))
        for number, event in enumerate(marks, 1)
    }
    for person in whole.participants:
        near = any(abs(person.joined_us - at_us) < APART_US for at_us in begins)
        if person.joined_us >= APART_US and not near:
            begins[person.joined_us] = word("chapter.joined", language).format(name=person.name)
    begins = {at_us: title for at_us, title in begins.items() if 0 <= at_us < whole.duration_us}
    if not begins:
        return []
    if min(begins) > 0:
        begins[0] = word("chapter.beginning", language)
    ordered = sorted(begins.items())
    ends = [at_us for at_us, _ in ordered[1:]] + [whole.duration_us]
    return [Chapter(at_us, end_us, title) for (at_us, title), end_us in zip(ordered, ends, strict=True)]


def as_webvtt(found: list[Chapter]) -> str:
    """https://www.w3.org/TR/webvtt1/, chapter cues."""
    cues = [f"{clock_time(one.start_us)} --> {clock_time(one.end_us)}\n{_cue_text(one.title)}\n" for one in found]
    return "\n".join(["WEBVTT\n", *cues])


def clock_time(us: int) -> str:
    """`01:02:03.456`"""
    seconds, milliseconds = divmod(us // 1000, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"


def _cue_text(title: str) -> str:
    return title.replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ").replace("-->", "→")
