"""Who is where: nobody missing, nobody over another, nobody outside, at no time a hole."""

from itertools import pairwise

import pytest
import tracks
from hypothesis import given
from hypothesis import strategies as st

from recorder.layout import HEIGHT, WIDTH, Cell, arrange, scenes

times = st.floats(0, 60)
stays = st.lists(st.tuples(times, times), min_size=1, max_size=13)


def apart(one: Cell, other: Cell) -> bool:
    return (
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y
        or other.y + other.height <= one.y
    )


@pytest.mark.parametrize("screens", [0, 1, 2])
@pytest.mark.parametrize("people", range(1, 26))
def test_cells_are_even_inside_and_apart(people: int, screens: int) -> None:
    names = [f"p{number}" for number in range(people)]
    cells = arrange(names, names[:screens])
    assert len(cells) == people + min(screens, people)
    for number, cell in enumerate(cells):
        assert not [side for side in (cell.x, cell.y, cell.width, cell.height) if side % 2]
        assert cell.x >= 0 <= cell.y
        assert cell.width > 0 < cell.height
        assert cell.x + cell.width <= WIDTH
        assert cell.y + cell.height <= HEIGHT
        assert all(apart(cell, other) for other in cells[number + 1 :])


def test_two_sit_side_by_side() -> None:
    assert [(cell.x, cell.y) for cell in arrange(["a", "b"], [])] == [(0, 180), (640, 180)]


def test_one_fills_the_picture_and_four_share_it() -> None:
    assert arrange(["a"], []) == (Cell("a", "camera", 0, 0, 1280, 720),)
    assert [(cell.x, cell.y, cell.width, cell.height) for cell in arrange(list("abcd"), [])] == [
        (0, 0, 640, 360), (640, 0, 640, 360), (0, 360, 640, 360), (640, 360, 640, 360),
    ]  # fmt: skip


@given(stays, st.floats(0.1, 60))
def test_scenes_cover_the_whole_recording(stays: list, seconds: float) -> None:
    people = [tracks.person(f"P{number}", min(stay), max(stay)) for number, stay in enumerate(stays)]
    plan = scenes(tracks.manifest(seconds, people, []))
    assert plan[0].start_us == 0
    assert plan[-1].end_us == round(seconds * 1e6)
    assert all(before.end_us == after.start_us for before, after in pairwise(plan))
    assert all(scene.end_us > scene.start_us for scene in plan)


def test_the_grid_does_not_jump_for_a_blink() -> None:
    people = [tracks.person("Ana", 0, 10), tracks.person("Ben", 5, 5.1), tracks.person("Ben2", 5.12, 10)]
    assert [len(scene.cells) for scene in scenes(tracks.manifest(10, people, []))] == [1, 2]


# -- who speaks -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["speaker", "side-by-side"])
@pytest.mark.parametrize("people", range(1, 26))
def test_every_layout_shows_everybody_apart_and_inside(people: int, layout: str) -> None:
    names = [f"p{number}" for number in range(people)]
    cells = arrange(names, [], layout, names[::-1])
    assert sorted(cell.participant for cell in cells) == sorted(names)
    for number, cell in enumerate(cells):
        assert cell.x >= 0 <= cell.y
        assert cell.x + cell.width <= WIDTH
        assert cell.y + cell.height <= HEIGHT
        assert all(apart(cell, other) for other in cells[number + 1 :])


def largest(scene) -> set[str]:
    most = max(cell.width * cell.height for cell in scene.cells)
    return {cell.participant for cell in scene.cells if cell.width * cell.height == most}


def test_who_speaks_is_in_front_and_stays_there_until_another_takes_the_word() -> None:
    people = [tracks.person(name, 0, 60) for name in ("Ana", "Ben", "Cleo")]
    speaking = {"pben": [(10_000_000, 20_000_000)], "pcleo": [(30_000_000, 40_000_000), (15_000_000, 15_500_000)]}

    plan = scenes(tracks.manifest(60, people, []), "speaker", speaking)

    assert [(scene.start_us // 1_000_000, largest(scene)) for scene in plan] == [(0, {"pana"}), (10, {"pben"}), (30, {"pcleo"})]


def test_two_in_front_do_not_change_places() -> None:
    people = [tracks.person(name, 0, 60) for name in ("Ana", "Ben", "Cleo")]
    speaking = {"pana": [(0, 9_000_000), (20_000_000, 29_000_000)], "pben": [(10_000_000, 19_000_000)]}

    plan = scenes(tracks.manifest(60, people, []), "side-by-side", speaking)

    assert [largest(scene) for scene in plan] == [{"pana", "pben"}]


def test_a_shared_screen_takes_the_stage_in_every_layout() -> None:
    for layout in ("grid", "speaker", "side-by-side"):
        assert arrange(["a", "b"], ["b"], layout, ["a"]) == arrange(["a", "b"], ["b"])
