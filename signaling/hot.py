"""The calls that everything waits for, as plain functions: POST /messages, GET /mailbox and POST /chunks, from bytes to what
is asked.

Flask's views (`api.py`) and our own worker's loop (`worker.py`) are two doors to the same functions.
"""

import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from signaling import errors, mailbox, rooms, schemas
from signaling.auth import Caller
from signaling.chunks import wire
from signaling.delivery import Waiter
from signaling.server import Server

Shape = TypeVar("Shape", bound=BaseModel)
_POLL = re.compile(r"after=(\d{1,15})&wait_s=(\d{1,3})&nonce=([\w-]{0,64})", re.ASCII)


def usual_poll(query: str) -> tuple[int, int, str] | None:
    """after, wait_s, nonce of a poll written the usual way; None for any other."""
    usual = _POLL.fullmatch(query)
    return (int(usual[1]), int(usual[2]), usual[3]) if usual is not None else None


def posting(server: Server, caller: Caller, data: bytes) -> mailbox.Posting:
    """The body of POST /messages, checked. Raises too_often, malformed, too_large."""
    settings = server.settings
    server.bursts.sends.spend(caller.id)
    if len(data) > settings.max_body_bytes:
        raise errors.too_large(settings.max_body_bytes, "A request")
    drafts = []
    for message in parse(schemas.Messages, data).messages:
        if message.kind in mailbox.SERVER_KINDS:
            raise errors.malformed([{"field": "messages.kind", "problem": f"{message.kind} is the server's"}])
        try:
            text = schemas.as_text(message.body)
        except ValueError as error:
            raise errors.malformed([{"field": "messages.body", "problem": str(error)}]) from None
        if len(text) * 4 > settings.max_message_bytes and len(text.encode()) > settings.max_message_bytes:
            raise errors.too_large(settings.max_message_bytes, "A message's body")
        drafts.append(mailbox.Draft(message.n, message.to, message.kind, text))
    return mailbox.Posting(caller.id, caller.room, tuple(drafts))


def chunks(server: Server, caller: Caller, query: str, data: bytes, waiter: Waiter) -> bytes | None:
    """POST /chunks: the answer, or None when it follows through the waiter.

    Raises no_http_media, still_waiting, participant_gone, malformed, too_large, chunks_too_fast, chunks_full.
    """
    if not server.carries_media:
        raise errors.no_http_media(several=server.settings.http_media)
    asked = wire.asked(query)
    if not server.chunks.knows(caller.id):
        with server.reading() as connection:
            is_here = rooms.is_here(connection, caller.id)
        if not is_here:
            raise errors.still_waiting() if caller.kind == "waiting" else errors.participant_gone()
        if not caller.room:
            raise errors.not_yours("There is nobody here to send media to.")
        server.chunks.admit(caller.id, caller.room)
    return server.chunks.exchange(caller.id, asked, data, waiter)


def parse(shape: type[Shape], data: bytes) -> Shape:
    """JSON as `shape`. Raises malformed."""
    try:
        return shape.model_validate_json(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        raise errors.malformed([_problem(item) for item in found]) from None


def _problem(item: Any) -> dict[str, str]:
    return {"field": ".".join(str(part) for part in item["loc"]) or "body", "problem": str(item["msg"])}
