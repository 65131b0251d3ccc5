"""Who is calling: participant tokens, host keys, the recorder key, signed download links. Nothing here knows Flask."""

import threading
import time
from collections import OrderedDict
from typing import NamedTuple

from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import Connection, select

from signaling import clock, errors, ids
from signaling.models import Participant, Room
from signaling.server import Server

LINK_S = 6 * 3600
CACHE_SIZE = 50_000


class Caller(NamedTuple):
    """A participant whose token was right. Whether it is still here is decided in the transaction it asks for."""

    id: str
    room: str
    kind: str
    role: str
    name: str


class Callers:
    """Token → participant, remembered: a token never changes its owner, so a poll needs no SQL to say whose it is."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Caller] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, server: Server, token: str) -> Caller:
        """Raises bad_token."""
        caller = self._known.get(token)
        if caller is None:
            caller = self._look_up(server, token)
            with self._lock:
                self._known[token] = caller
                if len(self._known) > CACHE_SIZE:
                    self._known.popitem(last=False)
        return caller

    def known(self, token: str) -> Caller | None:
        """Who this is, if we have met; no SQL."""
        return self._known.get(token)

    def _look_up(self, server: Server, token: str) -> Caller:
        if not token.startswith("pt_"):
            raise errors.bad_token()
        columns = (Participant.id, Participant.room_id, Participant.kind, Participant.role, Participant.name)
        with server.reading() as connection:
            row = connection.execute(select(*columns).where(Participant.token_hash == ids.digest(token))).first()
        if row is None:
            raise errors.bad_token()
        return Caller(row[0], row[1] or "", row[2], row[3], row[4])


def is_host_key(connection: Connection, room: str, key: str) -> bool:
    """Whether this is the key of this room, without telling how near it was."""
    stored = connection.execute(select(Room.host_key_hash, Room.host_key_until_ms).where(Room.id == room)).first()
    if stored is None or not ids.same(stored[0], ids.digest(key)):
        return False
    return stored[1] is None or stored[1] > clock.now_ms()


def is_recorder_key(server: Server, key: str) -> bool:
    return ids.same(server.settings.recorder_key, key)


class Links:
    """Download addresses that carry their own permission: signed, for one artifact, for a while."""

    def __init__(self, secret: str) -> None:
        self._signer = URLSafeTimedSerializer(secret, salt="artifact")

    def sign(self, artifact: str, share: str = "", by: str = "") -> str:
        """share: whose address it is; it is good as long as the share is. by: who asked for it, for the audit log."""
        return str(self._signer.dumps([artifact, [int(time.time()) // 3600, by], share]))

    def check(self, artifact: str, signature: str) -> tuple[str, str]:
        """(the share it was signed for, "" for a host's; who asked for it). Raises not_yours."""
        try:
            signed, made, share = self._signer.loads(signature, max_age=LINK_S)
        except (BadSignature, ValueError) as error:
            raise errors.not_yours("This download link is not valid, or no longer. Open the recordings page again.") from error
        if signed != artifact:
            raise errors.not_yours("This download link is for another file.")
        # Addresses of the release before say only when they were made.
        return str(share), str(made[1]) if isinstance(made, list) else ""
