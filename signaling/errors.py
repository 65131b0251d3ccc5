"""What can go wrong, in words for people and codes for programs (RFC 9457 problem details).

Domain code raises a Problem; `api.py` turns it into the answer; nobody else catches what it cannot mend.
A code (`type`) never changes once released; the sentences may.
"""

from typing import Any


class Problem(Exception):
    """A refusal the caller can understand. Raised anywhere below the routes.

    extra: further members of the JSON object, e.g. `expected`. retry_after_s: the Retry-After header.
    """

    def __init__(self, status: int, code: str, title: str, detail: str, retry_after_s: int | None = None, **extra: Any) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.title, self.detail = status, code, title, detail
        self.retry_after_s, self.extra = retry_after_s, extra

    def as_json(self) -> dict[str, Any]:
        """The RFC 9457 section 3 object."""
        return {
            "type": f"/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        } | self.extra


def storage_away(why: str) -> Problem:
    detail = f"Where recordings are kept does not answer ({why}). Nothing is lost: try again, or tell the administrator."
    return Problem(503, "storage-away", "The storage is away", detail, retry_after_s=5)


def storage_full() -> Problem:
    detail = "There is no room left where recordings are kept. What is there is safe; the administrator can make room."
    return Problem(507, "storage-full", "The storage is full", detail, retry_after_s=60)


def bad_token() -> Problem:
    return Problem(401, "bad-token", "Who are you?", "The token is missing or not valid here. Join the room again.")


def not_yours(detail: str) -> Problem:
    return Problem(403, "not-yours", "Not allowed", detail)


def no_such_room() -> Problem:
    return Problem(404, "no-such-room", "No such room", "There is no room at this address. Check the link, or ask for a new one.")


def no_admin_page() -> Problem:
    detail = "Nobody can sign in: whoever runs this server says how, in its settings (LETTERBOX_ADMIN_KEY)."
    return Problem(404, "no-admin-page", "There is no admin page here", detail)


def not_signed_in(detail: str = "Sign in first.") -> Problem:
    return Problem(403, "not-signed-in", "Not signed in", detail)


def sign_in_away(why: str) -> Problem:
    detail = f"Who knows the administrators does not answer as it should ({why}). Try again, or sign in with the admin key."
    return Problem(503, "sign-in-away", "Signing in does not work now", detail, retry_after_s=5)


def room_key_needed(admins_only: bool) -> Problem:
    """A key that makes rooms is missing, or is not that."""
    if admins_only:
        return Problem(403, "room-key-needed", "Only administrators make rooms here", "Ask one of them for a room.")
    return Problem(403, "room-key-needed", "A key is needed to make a room", "Whoever runs this server knows it.")


def too_many_rooms(limit: int) -> Problem:
    detail = f"There are {limit:,} open rooms. Close some, or tell the administrator."
    return Problem(409, "too-many-rooms", "No more rooms", detail)


def no_room_for_recordings(why: str) -> Problem:
    detail = f"{why} What is there is safe. Delete what is not needed, or tell the administrator."
    return Problem(409, "no-room-for-recordings", "No more recordings", detail)


def room_closed() -> Problem:
    return Problem(410, "room-closed", "This room is closed", "The host has closed this room. Ask for a new link.")


def room_locked() -> Problem:
    return Problem(403, "room-locked", "This room is locked", "The host lets nobody in now. Ask them to unlock it.")


def code_needed() -> Problem:
    return Problem(403, "code-needed", "This room has a code", "Whoever invited you knows it.")


def wrong_code() -> Problem:
    return Problem(403, "wrong-code", "Not the code of this room", "Look at it once more; whoever invited you knows it.")


def still_waiting() -> Problem:
    return Problem(403, "still-waiting", "Not let in yet", "The host has not let you in yet. Nothing was sent.")


def nobody_waits(participant: str) -> Problem:
    return Problem(404, "nobody-waits", "Nobody waits", f"{participant!r} does not wait here: let in, sent away, or gone.")


def not_here(participant: str) -> Problem:
    return Problem(404, "not-here", "Not in this room", f"There is no person {participant!r} in this room now.")


def last_host() -> Problem:
    detail = "You are the only host here. Make somebody else a host first."
    return Problem(409, "last-host", "A room needs a host", detail)


def room_full(limit: int) -> Problem:
    detail = f"{limit} of {limit} places are taken. Ask somebody to leave, or the host to raise the limit."
    return Problem(409, "room-full", "This room is full", detail)


def no_such_recipient(to: str) -> Problem:
    return Problem(
        404,
        "no-such-recipient",
        "No such participant",
        f"There is no participant {to!r} in this room. Nothing was sent.",
    )


def no_http_media(several: bool) -> Problem:
    detail = "This server carries no media itself."
    if several:
        detail = "Several web processes serve this room and share no media. The administrator can set LETTERBOX_CHUNKS_URL."
    return Problem(403, "no-http-media", "No media over HTTP here", detail)


def chunks_full(detail: str) -> Problem:
    return Problem(429, "chunks-full", "No room for more media", f"{detail} Nothing was taken.", retry_after_s=1)


def chunks_too_fast(kbit: int) -> Problem:
    detail = f"One participant may send {kbit} kbit/s over HTTP. Nothing was taken."
    return Problem(429, "chunks-too-fast", "Too much media at once", detail, retry_after_s=1)


def number_skipped(expected: int, got: int) -> Problem:
    detail = f"The next message of this sender is number {expected}, not {got}. Nothing was sent."
    return Problem(409, "number-skipped", "A message is missing", detail, expected=expected)


def mailbox_full(to: str) -> Problem:
    detail = f"Too many messages wait for {to}. Nothing was sent; try again."
    return Problem(429, "mailbox-full", "The mailbox is full", detail, retry_after_s=2)


def participant_gone() -> Problem:
    return Problem(
        410,
        "participant-gone",
        "You are no longer in this room",
        "You left, or were silent for too long. Join the room again.",
    )


def replaced() -> Problem:
    return Problem(
        409,
        "replaced",
        "Opened elsewhere",
        "A newer poll of the same participant has taken over, for instance in another tab.",
    )


def stale_poll(acknowledged: int) -> Problem:
    detail = f"Everything up to {acknowledged} was acknowledged before: this poll is an old one, sent again."
    return Problem(409, "stale-poll", "An old poll", detail, acknowledged=acknowledged)


def after_ahead(mailbox_n: int) -> Problem:
    errors = [{"field": "after", "problem": f"is above {mailbox_n}, the last message there is"}]
    return Problem(
        422,
        "malformed",
        "The request is malformed",
        "`after` acknowledges messages that were never sent.",
        errors=errors,
    )


def too_large(limit: int, what: str) -> Problem:
    return Problem(413, "too-large", "Too large", f"{what} may have {limit:,} bytes. Nothing was changed.")


def malformed(errors: list[dict[str, str]]) -> Problem:
    detail = "; ".join(f"{item['field']}: {item['problem']}" for item in errors[:3])
    return Problem(422, "malformed", "The request is malformed", detail, errors=errors)


def no_such_recording() -> Problem:
    return Problem(
        404,
        "no-such-recording",
        "No such recording",
        "There is no recording at this address. It may have been deleted.",
    )


def already_recording() -> Problem:
    return Problem(409, "already-recording", "Already recording", "This room is being recorded. Stop that recording first.")


def not_recording(detail: str = "This room is not being recorded.") -> Problem:
    return Problem(409, "not-recording", "Not recording", detail)


def already_claimed() -> Problem:
    return Problem(409, "already-claimed", "Already taken", "Another recorder has this recording, or it needs none any more.")


def lease_lost() -> Problem:
    return Problem(409, "lease-lost", "Somebody else has this now", "The lease lapsed and the work was given to another. Stop.")


def too_often(title: str, rate: str, wait_s: int) -> Problem:
    return Problem(429, "too-often", title, f"The limit is {rate}. Try again in {wait_s} s.", retry_after_s=wait_s)


def database_away() -> Problem:
    detail = "The database does not answer. Nothing was lost; the page tries again by itself."
    return Problem(503, "database-away", "One moment, please", detail, retry_after_s=1)


def no_such_share() -> Problem:
    return Problem(
        404, "no-such-share", "This link opens nothing", "It has ended, was taken back, or is incomplete. Ask who sent it."
    )


def password_needed() -> Problem:
    return Problem(403, "password-needed", "A password is needed", "Who sent you this link knows it.")


def wrong_password() -> Problem:
    return Problem(403, "wrong-password", "Not the password", "Look at it once more; who sent you this link knows it.")


def no_such_file() -> Problem:
    return Problem(404, "no-such-file", "No such file", "This file is not there any more.")
