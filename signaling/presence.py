"""Who watches over whom: each participant's presence is one web process's business, and a dead process's are taken over.

A parked participant is present. One whose polls stopped is given the grace time by the process that held them, in memory:
presence costs no SQL while nothing happens. What a process that died was watching is adopted by another, once: by a
conditional update of the `worker` column.
"""

import logging

from sqlalchemy import select, update

from signaling.models import Participant
from signaling.server import Server

log = logging.getLogger(__name__)


def adopt_orphans(server: Server) -> None:
    """Chore: take over the participants of processes that are gone. Their patience starts anew: the network may have
    blinked for them too."""
    for worker in server.wakeup.dead():
        with server.transaction() as tx:
            adopted = tx.connection.execute(
                update(Participant)
                .where(Participant.worker == worker, Participant.left_at_ms.is_(None))
                .values(worker=server.worker)
                .returning(Participant.id)
            )
            taken = [row[0] for row in adopted]
            tx.after_commit.append(lambda taken=taken: server.mailboxes.watch(taken))  # type: ignore[misc]
        if taken:
            log.info("adopted %d participants of a web process that is gone", len(taken))
            server.unsettled = True


def adopt_at_start(server: Server) -> None:
    """Once: participants whose process left no trace (a reboot, an emptied temporary folder)."""
    with server.reading() as connection:
        present = select(Participant.worker).where(Participant.left_at_ms.is_(None)).distinct()
        workers = {row[0] for row in connection.execute(present)} - {server.worker}
    server.wakeup.suspect(workers)
    adopt_orphans(server)
