"""Letterbox, and how many SQL statements it has run: `gunicorn 'bench.signaling.sql_count:create_app()'`."""

import itertools
from typing import Any

from flask import Flask
from sqlalchemy import event

import app as letterbox


def create_app() -> Flask:
    """The product's own application with a listener on its engine and GET /bench/sql."""
    app = letterbox.create_app()
    counted = itertools.count()
    total = 0

    @event.listens_for(app.extensions["letterbox"].engine, "before_cursor_execute")
    def _count(*_: Any) -> None:
        nonlocal total
        total = next(counted) + 1

    app.add_url_rule("/bench/sql", "bench_sql", lambda: str(total))
    return app
