"""What every system under load looks like to the load: two peers, and messages from one to the other."""

from collections.abc import Callable
from typing import Protocol

Accepted = Callable[[], None]


class Peer(Protocol):
    """One participant. heard: called with the number of each message that arrives, in order of arrival."""

    heard: Callable[[int], None]

    def send(self, kind: str, body: bytes, accepted: Accepted) -> None:
        """One message (a JSON object) to the partner; `accepted` when the system has taken it. One at a time."""

    def faults(self) -> int:
        """Breaches of the system's own numbering that this peer has seen."""

    def close(self) -> None:
        """Hang up without a word."""


Pair = tuple[Peer, Peer]
