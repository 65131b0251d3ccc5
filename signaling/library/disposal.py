"""Files that nobody is to have any more. What is to be deleted is written down together with the change that ended it, and stays
written down until the storage has done it: a storage that is away, or a process that dies, keeps nothing from being deleted."""

import logging
from collections.abc import Iterable, Sequence

from sqlalchemy import delete, insert, select

from signaling import errors
from signaling.models import Disposal
from signaling.server import Server, Transaction

log = logging.getLogger(__name__)
# In one go; the rest follows with the next.
AT_ONCE = 1000


def dispose(server: Server, tx: Transaction, paths: Iterable[str]) -> None:
    """Delete these once that is settled. A path is a file's key in storage, or `<recording>/`: all of a recording."""
    wanted = sorted(set(paths))
    if wanted:
        tx.connection.execute(insert(Disposal), [{"path": path, "at_ms": tx.now_ms} for path in wanted])
        tx.after_commit.append(lambda: _delete(server, wanted))


def finish(server: Server) -> None:
    """Chore: what could not be deleted at once. Any number of processes may do this at once."""
    with server.reading() as connection:
        late = connection.execute(select(Disposal.path).order_by(Disposal.at_ms).limit(AT_ONCE)).scalars().all()
    _delete(server, late)


def _delete(server: Server, paths: Sequence[str]) -> None:
    done = []
    for path in paths:
        try:
            if path.endswith("/"):
                server.storage.delete_recording(path[:-1])
            else:
                server.storage.delete(path)
        except errors.Problem as problem:
            log.warning("%s is deleted later: %s", path, problem.detail)
            break
        done.append(path)
    if done:
        with server.transaction() as tx:
            tx.connection.execute(delete(Disposal).where(Disposal.path.in_(done)))
