"""The migrations build what models.py says, on both databases; an old database is refused with the command that mends it."""

import alembic.command
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

import app as front_door
from signaling import db
from signaling.models import Base


def test_migrations_and_models_give_the_same_schema(databases) -> None:
    engine = db.make_engine(databases.settings())
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_migrating_twice_changes_nothing(databases) -> None:
    front_door.migrate(databases.settings())


def test_database_without_tables_is_refused_with_the_command_that_mends_it(tmp_path) -> None:
    from conftest import make_settings

    with pytest.raises(db.SchemaOutOfDate, match=r"version none.*python app\.py migrate"):
        front_door.create_app(make_settings(tmp_path))


def test_old_database_is_refused_until_it_is_migrated(databases) -> None:
    settings = databases.settings()
    engine = db.make_engine(settings)
    with db.writing(engine) as connection:
        alembic.command.stamp(_config(settings, connection), "0001")
    engine.dispose()
    with pytest.raises(db.SchemaOutOfDate, match=r"version 0001.*python app\.py migrate"):
        front_door.create_app(settings)


def _config(settings, connection):
    config = db.alembic_config(settings.sqlalchemy_url)
    config.attributes["connection"] = connection
    return config


def test_old_database_stops_the_start_with_a_sentence_and_not_a_traceback(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("LETTERBOX_DATA_DIR", str(tmp_path))
    monkeypatch.setitem(front_door.COMMANDS, "serve", lambda settings: front_door.create_app(settings) and 0)
    assert front_door.main(["serve"]) == 2
    assert "python app.py migrate" in capsys.readouterr().err


def test_recordings_of_before_are_deleted_on_the_day_their_room_says(databases) -> None:
    settings = databases.settings()
    engine = db.make_engine(settings)
    with db.writing(engine) as connection:
        Base.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        alembic.command.upgrade(_config(settings, connection), "0008")
        for room, stored in (("kept", "{}"), ("short", '{"keep_days": 2}')):
            values = {"room": room, "settings": stored}
            columns, row = "id, title, host_key_hash, settings, created_at_ms", "(:room, '', '', :settings, 0)"
            connection.execute(text(f"INSERT INTO room ({columns}) VALUES {row}"), values)
            columns = "id, room_id, state, wanted, requested_by, live, requested_at_ms, ended_at_ms, held"
            row = "(:room, :room, 'ready', 'stopped', '', '{}', 0, 5, false)"
            connection.execute(text(f"INSERT INTO recording ({columns}) VALUES {row}"), values)

    front_door.migrate(settings)

    with db.reading(engine) as connection:
        found = {row.id: row.delete_at_ms for row in connection.execute(text("SELECT id, delete_at_ms FROM recording"))}
    engine.dispose()
    assert found == {"kept": None, "short": 2 * 86_400_000 + 5}
