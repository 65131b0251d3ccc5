"""`python app.py doctor --capacity` measures for seconds and speaks in plain words; it leaves nothing behind."""

import json
import os

import pytest

import app as front_door
from doctor import capacity
from tests.conftest import make_settings


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured is not the point here."""
    monkeypatch.setattr(capacity, "SECONDS", 0.05)


def test_it_says_in_plain_words_what_this_machine_carries(quick, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("LETTERBOX_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["app.py", "doctor", "--capacity"])

    assert front_door.main(["doctor"]) == 0

    told = capsys.readouterr().out
    for words in ("people can be in calls at once", "messages a second", "can be recorded at once", "docs/scale.md"):
        assert words in told


def test_programs_get_the_same_figures_as_json(quick, tmp_path, capsys) -> None:
    capacity.run(make_settings(tmp_path), as_json=True)

    found = json.loads(capsys.readouterr().out)
    assert found["cores"] == len(os.sched_getaffinity(0))
    assert all(value > 0 for value in found.values()), found


def test_more_cores_record_more_people(quick, tmp_path) -> None:
    two, nine = (capacity.measure(make_settings(tmp_path), cores) for cores in (2, 9))

    assert nine.people_recorded > 3 * two.people_recorded > 0
