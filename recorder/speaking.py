"""Who spoke when, from how loud each voice was. Pure."""

from collections.abc import Sequence

from recorder.levels import PER_SECOND

# Above a voice's own background by so much is speech, and never below the quietest that could be, dB.
ABOVE_BACKGROUND_DB, QUIETEST_DB = 12.0, -55.0
# What is louder than this is speech whatever the background: somebody who never pauses has none.
SURELY_DB = -35.0
# A breath between words does not end a sentence; a click is none, tenths of a second.
PAUSE, SHORTEST = 8, 3


def spans(rms_db: Sequence[float]) -> list[tuple[int, int]]:
    """[(start, end)] in microseconds of the timeline. rms_db: as Levels.rms_db."""
    if not rms_db:
        return []
    audible = sorted(level for level in rms_db if level > -90)
    background = audible[len(audible) // 5] if audible else -90.0
    threshold = min(SURELY_DB, max(QUIETEST_DB, background + ABOVE_BACKGROUND_DB))
    loud = [index for index, level in enumerate(rms_db) if level >= threshold]
    found: list[list[int]] = []
    for index in loud:
        if found and index - found[-1][1] <= PAUSE:
            found[-1][1] = index + 1
        else:
            found.append([index, index + 1])
    step_us = 1_000_000 // PER_SECOND
    return [(start * step_us, end * step_us) for start, end in found if end - start >= SHORTEST]
