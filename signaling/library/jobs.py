"""The pipeline's rows: which step of which recording is whose, how far, and until when.

A row, not the broker, is the truth: a broker may lose a task with its worker, a lease lapses and the step is told again.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from signaling import errors
from signaling.models import Job, Version
from signaling.server import Transaction

# The picture first: it is what people see of it, seconds after the stop.
STEPS = ("poster", "verify", "manifest", "sound", "compose", "thumbnails", "quality", "publish")
# How much of the whole each step is, in percent: composing is nearly all of the work.
WEIGHTS = {
    "poster": 1, "verify": 3, "manifest": 1, "sound": 4, "compose": 86, "thumbnails": 3, "quality": 1, "publish": 1,
}  # fmt: skip
ATTEMPTS = 3
# `version-2` … come after the steps, one after the other; one that fails keeps nothing else from being made.
VERSION = "version-"
AFTER_STEPS = 100


@dataclass
class Outcome:
    """What follows: steps to enqueue; the reason if the recording has failed; whether all of its steps are done."""

    next: list[str] = field(default_factory=list)
    failed: str | None = None
    finished: bool = False


def create(tx: Transaction, recording: str, lease_s: int) -> list[str]:
    """All steps of a recording, the first being told now. Returns the steps to enqueue."""
    wanted = tx.connection.execute(select(Version.n).where(Version.recording_id == recording).order_by(Version.n)).scalars()
    places = [*enumerate(STEPS), *((AFTER_STEPS + n, f"{VERSION}{n}") for n in wanted)]
    rows = [_fresh(recording, step, position, tx.now_ms + lease_s * 1000 if position == 0 else None) for position, step in places]
    tx.connection.execute(insert(Job), rows)
    return [STEPS[0]]


def _fresh(recording: str, step: str, position: int, lease_until_ms: int | None) -> dict[str, Any]:
    return {
        "recording_id": recording, "step": step, "position": position, "state": "waiting", "attempt": 0, "worker": None,
        "lease_until_ms": lease_until_ms, "progress": 0, "eta_s": None, "reason": None,
    }  # fmt: skip


def add_version(tx: Transaction, recording: str, n: int, lease_s: int) -> list[str]:
    """One more film, after all that is to be made already. Returns the steps to enqueue."""
    step = f"{VERSION}{n}"
    row = _fresh(recording, step, AFTER_STEPS + n, tx.now_ms + lease_s * 1000)
    tx.connection.execute(insert(Job), [row])
    return [one for one in due(tx.connection, recording) if one == step]


def drop_version(tx: Transaction, recording: str, n: int) -> None:
    """Nobody wants it any more: who makes it loses the lease."""
    tx.connection.execute(delete(Job).where(Job.recording_id == recording, Job.step == f"{VERSION}{n}"))


def is_version(step: str) -> bool:
    return step.startswith(VERSION)


def restart(tx: Transaction, recording: str, lease_s: int) -> list[str]:
    """All steps once more, for other tracks than before. Returns the steps to enqueue."""
    tx.connection.execute(delete(Job).where(Job.recording_id == recording))
    return create(tx, recording, lease_s)


def retry(tx: Transaction, recording: str, lease_s: int) -> list[str]:
    """Go on from where it failed, with all attempts anew. Returns the steps to enqueue; none when nothing had failed."""
    had_turn = due(tx.connection, recording)
    failed = (Job.recording_id == recording, Job.state == "failed")
    values = {"state": "waiting", "attempt": 0, "reason": None, "progress": 0, "lease_until_ms": tx.now_ms + lease_s * 1000}
    if tx.connection.execute(update(Job).where(*failed).values(**values)).rowcount == 0:
        return []
    return [step for step in due(tx.connection, recording) if step not in had_turn]


def _current(rows: list[Any]) -> Any | None:
    """The one whose turn it is, or who keeps the others from theirs."""
    return next((row for row in rows if not _is_settled(row)), None)


def _is_settled(row: Any) -> bool:
    return row.state == "done" or (row.state == "failed" and is_version(row.step))


def _rows(connection: Connection, recording: str) -> list[Any]:
    return list(connection.execute(select(Job.__table__).where(Job.recording_id == recording).order_by(Job.position)))


def _is_done(connection: Connection, recording: str, step: str, attempt: int) -> bool:
    done = (Job.recording_id == recording, Job.step == step, Job.attempt == attempt, Job.state == "done")
    return connection.execute(select(Job.step).where(*done)).first() is not None


def due(connection: Connection, recording: str) -> list[str]:
    """The step whose turn it is, if somebody should work on it."""
    row = _current(_rows(connection, recording))
    return [row.step] if row is not None and row.state == "waiting" else []


def claim(tx: Transaction, recording: str, step: str, worker: str, lease_s: int) -> dict[str, Any]:
    """Take a step whose turn it is and that nobody works on. Raises 409 job-not-free."""
    for row in _rows(tx.connection, recording):
        if row.step == step:
            break
        if not _is_settled(row):
            raise errors.Problem(409, "job-not-free", "Not its turn", f"{row.step} comes first.")
    else:
        raise errors.no_such_recording()
    free = (Job.state == "waiting") | ((Job.state == "running") & (Job.lease_until_ms < tx.now_ms))
    values = {
        "state": "running",
        "attempt": row.attempt + 1,
        "worker": worker,
        "lease_until_ms": tx.now_ms + lease_s * 1000,
        "reason": None,
    }
    claimed = tx.connection.execute(update(Job).where(Job.recording_id == recording, Job.step == step, free).values(**values))
    if claimed.rowcount == 0:
        raise errors.Problem(409, "job-not-free", "Not free", f"{step} is done, has failed, or another worker has it.")
    return {"attempt": row.attempt + 1, "lease_s": lease_s}


def advance(tx: Transaction, recording: str, step: str, attempt: int, news: dict[str, Any], lease_s: int) -> Outcome:
    """Note progress and renew the lease; or end the step, well or badly. Raises lease_lost.

    news: progress (percent), eta_s, state (running, done, failed), reason.
    """
    state, lease_until = news.get("state", "running"), tx.now_ms + lease_s * 1000
    reason = news.get("reason")
    values: dict[str, Any] = {
        "progress": news.get("progress", 0),
        "eta_s": news.get("eta_s"),
        "lease_until_ms": lease_until,
        "state": state,
    }
    if state == "done":
        values |= {"progress": 100, "eta_s": None, "lease_until_ms": None, "worker": None}
    if state == "failed":
        values |= {"reason": reason, "worker": None, "state": "waiting" if attempt < ATTEMPTS else "failed"}
    mine = (Job.recording_id == recording, Job.step == step, Job.attempt == attempt, Job.state == "running")
    if tx.connection.execute(update(Job).where(*mine).values(**values)).rowcount == 0:
        if state == "done" and _is_done(tx.connection, recording, step, attempt):
            # Said again, because the answer was lost: what comes next was told then, and is told again.
            return Outcome(next=due(tx.connection, recording))
        raise errors.lease_lost()
    if state == "failed" and (attempt < ATTEMPTS or not is_version(step)):
        return Outcome(failed=reason or f"The step {step} failed." if attempt >= ATTEMPTS else None)
    if state == "running":
        return Outcome()
    following = due(tx.connection, recording)
    for name in following:
        told = update(Job).where(Job.recording_id == recording, Job.step == name).values(lease_until_ms=lease_until)
        tx.connection.execute(told)
    return Outcome(next=following, finished=step == STEPS[-1])


def lapsed(tx: Transaction, recording: str, lease_s: int) -> Outcome:
    """The step to tell a worker of again, because nobody took it or who did fell silent. Of several callers one gets it."""
    row = _current(_rows(tx.connection, recording))
    if row is None or row.state == "failed" or (row.lease_until_ms or 0) >= tx.now_ms:
        return Outcome()
    given_up = row.state == "running" and row.attempt >= ATTEMPTS
    reason = f"The step {row.step} was cut off {row.attempt} times." if given_up else row.reason
    same_lease = Job.lease_until_ms.is_(None) if row.lease_until_ms is None else Job.lease_until_ms == row.lease_until_ms
    again = update(Job).where(Job.recording_id == recording, Job.step == row.step, Job.state == row.state, same_lease)
    values = {
        "state": "failed" if given_up else "waiting",
        "reason": reason,
        "lease_until_ms": tx.now_ms + lease_s * 1000,
    }
    if tx.connection.execute(again.values(**values)).rowcount == 0:
        return Outcome()
    if given_up and is_version(row.step):
        return Outcome(next=due(tx.connection, recording))
    return Outcome(failed=reason) if given_up else Outcome(next=[row.step])


def describe(connection: Connection, recording: str) -> dict[str, Any]:
    """step, progress of the whole in percent, seconds left if known, each job, and the versions: as the page shows them."""
    jobs = _rows(connection, recording)
    rows = [row for row in jobs if not is_version(row.step)]
    current = next((row for row in rows if row.state != "done"), None)
    total = sum(WEIGHTS[row.step] * row.progress for row in rows) // 100
    return {
        "step": current.step if current else None,
        "progress": total,
        "eta_s": _left_s(rows),
        "jobs": [
            {"step": row.step, "state": row.state, "progress": row.progress, "eta_s": row.eta_s, "reason": row.reason}
            for row in rows
        ],
        "versions": _versions(connection, recording, {row.step: row for row in jobs}),
    }


def _versions(connection: Connection, recording: str, rows: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = connection.execute(select(Version.__table__).where(Version.recording_id == recording).order_by(Version.n))
    found = []
    for version in wanted:
        job = rows.get(f"{VERSION}{version.n}")
        state = {key: getattr(job, key) for key in ("state", "progress", "eta_s", "reason")} if job is not None else {}
        found.append({"n": version.n, "title": version.title, "by": version.requested_by} | version.wish | state)
    return found


def _left_s(rows: list[Any]) -> int | None:
    """Until all is done: the steps that follow take as long for their weight as the one at hand does for its own."""
    current = next((row for row in rows if row.state != "done"), None)
    if current is None or current.eta_s is None:
        return None
    ahead = sum(WEIGHTS[row.step] for row in rows if row.position > current.position)
    return int(current.eta_s + current.eta_s * ahead / (WEIGHTS[current.step] * (100 - min(99, current.progress)) / 100))
