"""Rates counted in PostgreSQL, for all nodes together: a storage for `limits`, as its documentation asks of one.

One row a rate and asker, which begins anew when its window is over. The table is not logged: after a crash everybody starts
from nothing.
"""

from limits.storage import Storage
from sqlalchemy import Engine, case, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from signaling import clock, db
from signaling.models import Rate


class InPostgreSQL(Storage):
    """See the module's text."""

    STORAGE_SCHEME = None  # not to be had by an address: it is the database's own

    def __init__(self, engine: Engine) -> None:
        super().__init__(wrap_exceptions=True)
        self._engine = engine

    @property
    def base_exceptions(self) -> type[Exception]:
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = clock.now_ms()
        new = insert(Rate).values(key=key, n=amount, until_ms=now + expiry * 1000)
        over = Rate.until_ms <= now
        values = {
            "n": case((over, new.excluded.n), else_=Rate.n + amount),
            "until_ms": case((over, new.excluded.until_ms), else_=Rate.until_ms),
        }
        counted = new.on_conflict_do_update(index_elements=[Rate.key], set_=values).returning(Rate.n)
        with db.writing(self._engine) as connection:
            return int(connection.execute(counted).scalar_one())

    def get(self, key: str) -> int:
        running = select(Rate.n).where(Rate.key == key, Rate.until_ms > clock.now_ms())
        with db.reading(self._engine) as connection:
            return int(connection.execute(running).scalar() or 0)

    def get_expiry(self, key: str) -> float:
        with db.reading(self._engine) as connection:
            until_ms = connection.execute(select(Rate.until_ms).where(Rate.key == key)).scalar()
        return (until_ms if until_ms is not None else clock.now_ms()) / 1000

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        with db.writing(self._engine) as connection:
            return connection.execute(delete(Rate)).rowcount

    def clear(self, key: str) -> None:
        with db.writing(self._engine) as connection:
            connection.execute(delete(Rate).where(Rate.key == key))

    def sweep(self) -> None:
        """Forget the windows that are over."""
        with db.writing(self._engine) as connection:
            connection.execute(delete(Rate).where(Rate.until_ms <= clock.now_ms()))
