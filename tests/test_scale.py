"""The figures of docs/scale.md are those of its program, and the program's are as one would expect."""

import pytest
from people import ROOT

from bench import scale


def test_the_tables_of_the_paper_are_what_the_program_prints() -> None:
    paper = (ROOT / "docs" / "scale.md").read_text()

    assert scale.table() in paper
    assert scale.per_hour() in paper


@pytest.mark.parametrize("people", [1_000, 100_000])
def test_about_so_many_people_are_in_calls_at_once(people: int) -> None:
    assert scale.hour(people).people == pytest.approx(people, rel=0.25)


def test_ten_times_the_people_need_about_ten_times_as_much() -> None:
    small, large = scale.needs(10_000), scale.needs(100_000)

    for name in ("web_cores", "recorder_cores", "compose_cores", "signaling_mbit", "relay_gbit"):
        assert getattr(large, name) / getattr(small, name) == pytest.approx(10, rel=0.2), name
