"""A house of the previous release comes along: its database, as it was written then, is migrated, and all of it is still there.

tests/samples/upgrade holds what revision 0008 wrote: a room with people, messages that wait, a recording with a file, consent, a
share link and an undelivered webhook; once in SQLite, once in PostgreSQL; and in held-0008.json who held which key.
"""

import contextlib
import json
import sqlite3
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from people import RECORDER_KEY, ROOT, House, Person, Reply

import app as front_door
from signaling import db
from signaling.config import Settings
from tests.conftest import POSTGRESQL, make_settings

SAMPLES = ROOT / "tests" / "samples" / "upgrade"


@pytest.fixture(params=["sqlite", "postgresql"])
def before(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Settings, dict[str, Any]]:
    """A house as 0008 left it, and who held what."""
    kind = request.param
    held = json.loads((SAMPLES / "held-0008.json").read_text())[kind]
    script = SAMPLES / f"{kind}-0008.sql"
    for name, text in held["files"].items():
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_text(text)
    if kind == "sqlite":
        with contextlib.closing(sqlite3.connect(tmp_path / "letterbox.db")) as connection:
            connection.executescript(script.read_text())
        return make_settings(tmp_path), held
    url = request.getfixturevalue("postgresql").fresh()
    command = [POSTGRESQL / "psql", "--quiet", "--set=ON_ERROR_STOP=1", "--file", script, url]
    subprocess.run(command, check=True, capture_output=True)
    return make_settings(tmp_path, database_url=url), held


def who(house: House, held: dict[str, Any], name: str) -> Person:
    """A participant of then, with the token of then."""
    told = {"participant": {"id": held.get(f"{name}_id", "")}, "token": held[name]}
    return Person(house, Reply(201, {}, b"", told), n=held.get(f"{name}_n", 0), after=held.get(f"{name}_after", 0))


def test_what_the_previous_release_wrote_is_readable_after_the_migration(before, open_house) -> None:
    settings, held = before
    with pytest.raises(db.SchemaOutOfDate):
        open_house(settings)

    front_door.migrate(settings)

    house = open_house(settings)
    alice, bob = who(house, held, "alice"), who(house, held, "bob")
    heard = [message["body"] for message in bob.hear() if message["kind"] in ("chat", "note")]
    assert heard == [{"text": "grüße & <b>"}, {"x": 2}]
    assert alice.say(bob, {"x": 3}).json == {"n": held["alice_n"] + 1}
    assert bob.hears("note") == {"x": 3}
    (recording,) = house.get(f"rooms/{held['room']}/recordings", held["host_key"])["recordings"]
    assert (recording["id"], recording["state"]) == (held["recording"], held["state"])
    (track,) = [one for one in recording["artifacts"] if one["kind"] == "track"]
    assert house.ask("GET", track["url"]).content == b"picture and sound"
    assert [entry["answer"] for entry in recording["consent"]][-1:] == ["given"]
    share, _, secret = held["share"]["url"].rpartition("/")[2].partition("#")
    assert house.post(f"shares/{share}/open", {"secret": secret, "password": None})["recording"]["id"] == held["recording"]
    assert house.get(f"recordings/{held['recording']}", RECORDER_KEY)["jobs"]
    again = house.join(held["room"], "Cleo", held["host_key"])
    assert again.joined["participant"]["role"] == "host"


def test_nodes_that_start_at_once_migrate_once(before) -> None:
    settings, _ = before

    with ThreadPoolExecutor(3) as nodes:
        assert list(nodes.map(front_door.migrate, [settings] * 3)) == [0, 0, 0]


def test_a_backup_taken_while_people_write_is_whole_and_can_be_started_from(databases, open_house, tmp_path, monkeypatch) -> None:
    settings = databases.settings()
    house = open_house(settings)
    room, key = house.room()
    alice, bob = house.join(room, "Alice", key), house.join(room, "Bob")
    enough, stop = threading.Event(), threading.Event()

    def write() -> None:
        # As often as one may.
        while not stop.wait(0.012):
            assert alice.say(bob, {"number": alice.n + 1}).status == 200
            if alice.n == 50:
                enough.set()

    writing = threading.Thread(target=write)
    writing.start()
    assert enough.wait(30)
    accepted = alice.n - 1
    restored = back_up_and_restore(databases, settings, tmp_path, monkeypatch)
    stop.set()
    writing.join()
    house.close()

    after = open_house(restored)
    found: list[int] = []
    reader = Person(after, bob.joined)
    while heard := reader.hear():
        found += [message["body"]["number"] for message in heard if message["kind"] == "note"]
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= accepted


def back_up_and_restore(databases, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """By the commands of docs/operations.md."""
    told = (ROOT / "docs" / "operations.md").read_text()
    copied = folder / "restored"
    copied.mkdir()
    if databases.kind == "sqlite":
        assert "python app.py backup" in told
        monkeypatch.setenv("LETTERBOX_DATA_DIR", str(settings.data_dir))
        monkeypatch.setattr("sys.argv", ["app.py", "backup", str(copied / "letterbox.db")])
        assert front_door.main(["backup"]) == 0
        return make_settings(copied)
    assert "pg_dump --format=custom" in told
    assert "pg_restore --no-owner" in told
    subprocess.run([POSTGRESQL / "pg_dump", "--format=custom", "--file", folder / "dump", settings.database_url], check=True)
    url = databases._request.getfixturevalue("postgresql").fresh()
    databases._urls.append(url)
    subprocess.run([POSTGRESQL / "pg_restore", "--no-owner", "--dbname", url, folder / "dump"], check=True)
    return make_settings(copied, database_url=url)
