"""Chapters: what people marked, and who came."""

import tracks

from recorder.chapters import Chapter, as_webvtt, chapters, clock_time
from recorder.manifest import Event

S = 1_000_000


def test_marks_and_joins_are_chapters_and_the_first_begins_at_the_beginning():
    whole = tracks.manifest(60, [tracks.person("Ana", 0.2, 60), tracks.person("Ben", 20, 60)], [])
    whole.events = [Event(at_us=40 * S, kind="mark", body={"label": "The vote"}), Event(at_us=50 * S, kind="mark")]

    assert chapters(whole) == [
        Chapter(0, 20 * S, "Beginning"), Chapter(20 * S, 40 * S, "Ben joined"),
        Chapter(40 * S, 50 * S, "The vote"), Chapter(50 * S, 60 * S, "Mark 2"),
    ]  # fmt: skip


def test_where_nothing_was_marked_and_nobody_came_there_are_none():
    assert chapters(tracks.manifest(60, [tracks.person("Ana", 0, 60)], [])) == []


def test_a_mark_wins_over_somebody_who_came_just_then():
    whole = tracks.manifest(60, [tracks.person("Ben", 20, 60)], [])
    whole.events = [Event(at_us=21 * S, kind="mark", body={"label": "Ben reports"})]

    assert [chapter.title for chapter in chapters(whole)] == ["Beginning", "Ben reports"]


def test_webvtt_says_times_and_titles_safely():
    assert as_webvtt([Chapter(0, 3_723_456_000, "a < b --> & c")]) == (
        "WEBVTT\n\n00:00:00.000 --> 01:02:03.456\na &lt; b --> &amp; c\n".replace("b -->", "b →")
    )
    assert clock_time(0) == "00:00:00.000"
