"""Alembic's entry: the connection is handed in by `python app.py migrate`, or made from the URL it was given."""

from alembic import context
from sqlalchemy import create_engine

from signaling.models import Base


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is not None:
        migrate(connection)
        return
    with create_engine(context.config.get_main_option("sqlalchemy.url")).begin() as connection:
        migrate(connection)


def migrate(connection) -> None:
    # SQLite alters a table by copying it: batch mode does that where it must.
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


run()
