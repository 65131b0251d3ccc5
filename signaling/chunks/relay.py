"""Media over plain HTTP: who is in which room, what each one sends and wants, and the requests that wait for chunks.

    POST /chunks → wire → the sender's rings → who wants them and has a request parked: answered at once
                              → the caller's own answer: chunks for it, news of its own streams | parked

Memory only, bounded in every direction, and none at all for a room that does not use it. Nothing is taken away by handing it
out: what each answer carried is remembered under its request's nonce, so that a request that comes again gets the same again.

Lock order: `_lock` is never held while a waiter is answered.
"""

import heapq
import itertools
import json
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from signaling import errors, metrics
from signaling.chunks import wire
from signaling.chunks.feed import Feed, Word
from signaling.chunks.ring import MAX_DATA_BYTES, Reader, Ring
from signaling.chunks.wire import DATA, VIDEO, Asked, Draft, Wish
from signaling.config import Settings
from signaling.delivery import Waiter

# A browser has six connections to a server: the rest of the page needs some of them.
MAX_PARKED = 3
# What is on its way down a road that has just become narrow cannot be taken back: no more than the other end can wait for.
MAX_ANSWER_BYTES = 49_152
# An answer of which nothing was acknowledged after so long is lost, seconds, and so is one that so many others followed.
LOST_S, MAX_ANSWERS = 4.0, 128
# Who has not asked for so long wants nothing any more; after the longer time it is forgotten.
WANTING_S, GONE_S = 5.0, 15.0
# How often other processes are told how far somebody is.
SHARE_S = 0.5
# How long a caller is known to be in the room without asking the database again.
HERE_S = 2.0
# What may come at once, in seconds of the rate; below FULL of that the sender is told.
BURST_S, FULL = 2.0, 0.25
# What a request costs beside its body.
HEAD_BYTES = 300
SPEECH_FIRST = {0: 0, 3: 1, 4: 2, 1: 3, 2: 4}


class Limits(NamedTuple):
    """bytes_per_s: of one participant; streams: in one room; rooms, bytes: in this process."""

    bytes_per_s: float
    streams: int
    rooms: int
    bytes: int

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        return cls(
            settings.http_media_kbit * 125.0, settings.http_media_streams, settings.http_media_rooms, settings.http_media_mb << 20
        )


class Parked:
    """One request without an answer yet."""

    __slots__ = ("came_s", "due_s", "nonce", "waiter")

    def __init__(self, waiter: Waiter, nonce: str, came_s: float, due_s: float) -> None:
        self.waiter, self.nonce, self.came_s, self.due_s = waiter, nonce, came_s, due_s


class Given(NamedTuple):
    """What one answer carried: of each ring which chunks."""

    at_s: float
    parts: list[tuple[Reader, tuple[int, ...]]]


class Member:
    """One participant, as far as this process knows it. readers: by whom and which; given: by nonce; told: what it was told last
    of its own streams; left_bytes: how much it may send now; asked_s: when it last asked this process, and not another;
    shared_s: when the others were told how far it is."""

    __slots__ = (
        "asked_s", "given", "heard_s", "here_s", "id", "left_bytes", "parked", "queued_s", "readers", "rings", "room", "shared_s",
        "told",
    )  # fmt: skip

    def __init__(self, name: str, room: "Room", now_s: float, left_bytes: float) -> None:
        self.id, self.room, self.heard_s, self.here_s, self.left_bytes = name, room, now_s, now_s, left_bytes
        self.rings: dict[int, Ring] = {}
        self.readers: dict[tuple[str, int], Reader] = {}
        self.parked: deque[Parked] = deque()
        self.given: OrderedDict[str, Given] = OrderedDict()
        self.queued_s: float | None = None
        self.told = "{}"
        self.asked_s, self.shared_s = now_s, 0.0

    def wants_at(self, now_s: float) -> bool:
        """Whether it still asks for anything."""
        return bool(self.parked) or now_s - self.heard_s < WANTING_S


class Room:
    __slots__ = ("id", "members", "rings")

    def __init__(self, name: str) -> None:
        self.id = name
        self.members: dict[str, Member] = {}
        self.rings: dict[tuple[str, int], Ring] = {}


Said = list[tuple[Waiter, bytes]]


class Chunks:
    """All rings of this process, and the requests parked on them."""

    def __init__(self, limits: Limits, clock: Callable[[], float], feed: Feed | None = None) -> None:
        self._limits, self._clock, self._feed = limits, clock, feed
        self._lock = threading.Lock()
        self._rooms: dict[str, Room] = {}
        self._members: dict[str, Member] = {}
        self._deadlines: list[tuple[float, int, Member]] = []
        self._order = itertools.count()
        self._bytes = 0
        self._closing = False

    def start(self) -> None:
        """Begin to listen to other processes."""
        if self._feed is not None:
            self._feed.start(self.heard)

    # -- a request comes in ------------------------------------------------------------------------------------------------

    def knows(self, participant: str) -> bool:
        """Whether this participant was in its room a moment ago; else say so by `admit`, having looked."""
        member = self._members.get(participant)
        return member is not None and self._clock() - member.here_s < HERE_S

    def admit(self, participant: str, room: str) -> None:
        """This participant is in this room now. Raises chunks_full when that is one room too many."""
        now_s = self._clock()
        with self._lock:
            member = self._members.get(participant)
            if member is not None:
                member.here_s = now_s
                return
            if room not in self._rooms:
                if len(self._rooms) >= self._limits.rooms:
                    raise errors.chunks_full("So many calls go through this server already that there is no room for another.")
                self._rooms[room] = Room(room)
                if self._feed is not None:
                    self._feed.follow(room)
            self._enter(participant, self._rooms[room], now_s)

    def _enter(self, participant: str, room: Room, now_s: float) -> Member:
        member = Member(participant, room, now_s, self._limits.bytes_per_s * BURST_S)
        member.rings = {stream: ring for (who, stream), ring in room.rings.items() if who == participant}
        self._members[participant] = room.members[participant] = member
        return member

    def exchange(self, participant: str, asked: Asked, body: bytes, waiter: Waiter) -> bytes | None:
        """Take what a participant sends, and answer at once (bytes) or later through `waiter` (None).

        Raises malformed, too_large, chunks_too_fast, chunks_full: nothing was taken then. participant_gone: see admit.
        """
        drafts = wire.drafts(body)
        metrics.CHUNK_BYTES_IN.inc(len(body))
        said: Said = []
        with self._lock:
            member = self._members.get(participant)
            if member is None:
                raise errors.participant_gone()
            now_s = self._clock()
            self._spend(member, len(body), now_s)
            stirred = self._take(member, drafts, now_s)
            member.heard_s = member.asked_s = now_s
            concerned = self._wish(member, asked.wishes, now_s) if asked.wishes is not None else set()
            self._share(member, body, asked.wishes, bool(concerned), now_s)
            stirred |= concerned
            found = self._answer_or_park(member, asked, waiter, now_s, stirred, said)
            self._stir(stirred, now_s, said)
        _tell(said)
        if found is not None:
            metrics.CHUNK_BYTES_OUT.inc(len(found))
        return found

    def _take(self, member: Member, drafts: list[Draft], now_s: float) -> set[str]:
        """Into the rings, all or none. Returns who is concerned."""
        if not drafts:
            return set()
        new: list[tuple[Ring, Draft]] = []
        for draft in drafts:
            ring = member.rings.get(draft.stream) or self._ring(member.room, member.id, draft.stream)
            if ring.is_new(draft.n):
                new.append((ring, draft))
        self._check_room(new)
        stirred: set[str] = set()
        for ring, draft in new:
            if not ring.is_new(draft.n):
                continue  # twice in the same request
            before, missed = ring.bytes, ring.missed
            ring.add(draft.n, draft.flags, wire.chunk_of(member.id, draft), now_s)
            ring.trim(now_s)
            self._account(ring, before, missed)
            stirred.update(ring.readers)
        return stirred

    def _spend(self, member: Member, size: int, now_s: float) -> None:
        most = self._limits.bytes_per_s * BURST_S
        left = min(most, member.left_bytes + (now_s - member.heard_s) * self._limits.bytes_per_s)
        if left < size + HEAD_BYTES:
            raise errors.chunks_too_fast(int(self._limits.bytes_per_s / 125))
        member.left_bytes = left - size - HEAD_BYTES

    def _ring(self, room: Room, sender: str, stream: int) -> Ring:
        ring = room.rings.get((sender, stream))
        if ring is None:
            if len(room.rings) >= self._limits.streams:
                raise errors.chunks_full(f"A room may have {self._limits.streams} streams over HTTP.")
            ring = room.rings[sender, stream] = Ring(sender, stream)
            metrics.CHUNK_RINGS.inc()
        owner = room.members.get(sender)
        if owner is not None:
            owner.rings[stream] = ring
        return ring

    def _check_room(self, new: list[tuple[Ring, Draft]]) -> None:
        size = sum(len(draft.sealed) for _, draft in new)
        if self._bytes + size > self._limits.bytes:
            raise errors.chunks_full("This server holds as much media as it may.")
        for ring in {id(ring): ring for ring, draft in new if draft.stream == DATA}.values():
            more = sum(len(draft.sealed) for other, draft in new if other is ring)
            if ring.bytes + more > MAX_DATA_BYTES:
                raise errors.chunks_full("What you sent before has not been received yet.")

    def _account(self, ring: Ring, bytes_before: int, missed_before: int) -> None:
        self._bytes += ring.bytes - bytes_before
        if ring.missed > missed_before:
            metrics.CHUNKS_MISSED.inc(ring.missed - missed_before)

    # -- what is wanted ----------------------------------------------------------------------------------------------------

    def _wish(self, member: Member, wishes: tuple[Wish, ...], now_s: float) -> set[str]:
        """Whom it concerns: the senders of what is wanted anew, otherwise, or no longer."""
        stirred: set[str] = set()
        named = set()
        for wish in wishes:
            if wish.sender == member.id:
                continue
            name = (wish.sender, wish.stream)
            named.add(name)
            reader = member.readers.get(name)
            if reader is None:
                reader = self._ring(member.room, *name).read_by(member.id, wish.after)
                member.readers[name] = reader
                stirred.add(wish.sender)
            elif wish.after > reader.said_n:
                reader.said_n = wish.after
                reader.floor_n = max(reader.floor_n, wish.after)
                if wish.stream == DATA:
                    self._trim(reader.ring, now_s)
                    stirred.add(wish.sender)
            if wish.most_kbit != reader.most_kbit:
                reader.most_kbit = wish.most_kbit
                stirred.add(wish.sender)
            if wish.key and wish.stream in VIDEO and not reader.ring.key_wanted:
                reader.ring.ask_key(reader)
                stirred.add(wish.sender)
        for name in member.readers.keys() - named:
            self._unread(member, name)
            stirred.add(name[0])
        if stirred and len(member.readers) > 1:
            member.readers = dict(sorted(member.readers.items(), key=lambda item: SPEECH_FIRST[item[0][1]]))
        self._settle(member, now_s)
        return stirred

    def _unread(self, member: Member, name: tuple[str, int]) -> None:
        ring = member.readers.pop(name).ring
        del ring.readers[member.id]

    def _trim(self, ring: Ring, now_s: float) -> None:
        before, missed = ring.bytes, ring.missed
        ring.trim(now_s)
        self._account(ring, before, missed)

    def _settle(self, member: Member, now_s: float) -> None:
        """Answers of which nobody will ask again: what of them was never acknowledged is handed out once more."""
        while member.given:
            nonce, given = next(iter(member.given.items()))
            if now_s - given.at_s < LOST_S and len(member.given) <= MAX_ANSWERS:
                return
            del member.given[nonce]
            for reader, seqs in given.parts:
                reader.again += [chunk.seq for chunk in reader.ring.those(reader, seqs)]

    # -- answers -----------------------------------------------------------------------------------------------------------

    def _answer_or_park(
        self, member: Member, asked: Asked, waiter: Waiter, now_s: float, stirred: set[str], said: Said
    ) -> bytes | None:
        if asked.nonce:
            older = next((one for one in member.parked if one.nonce == asked.nonce), None)
            if older is not None:
                # The same request once more: something between has lost the first.
                member.parked.remove(older)
                said.append((older.waiter, self._control(member, older.came_s, now_s)))
            given = member.given.get(asked.nonce)
            if given is not None:
                parts = [chunk.wire for reader, seqs in given.parts for chunk in reader.ring.those(reader, seqs)]
                return b"".join([self._control(member, now_s, now_s), *parts])
        if asked.wishes is None:
            return self._control(member, now_s, now_s)
        parks = asked.wait_ms > 0 and not self._closing
        found = self._say(member, asked.nonce, now_s, now_s, stirred, even_nothing=not parks)
        if found is None:
            if len(member.parked) >= MAX_PARKED:
                oldest = member.parked.popleft()
                said.append((oldest.waiter, self._control(member, oldest.came_s, now_s)))
            self._park(member, Parked(waiter, asked.nonce, now_s, now_s + asked.wait_ms / 1000))
        return found

    def _say(
        self, member: Member, nonce: str, came_s: float, now_s: float, stirred: set[str], even_nothing: bool = False
    ) -> bytes | None:
        """Everything there is for a member; None for nothing.

        came_s: when it asked; stirred: grows by those who must be told because of it.
        """
        parts: list[bytes] = []
        taken: list[tuple[Reader, tuple[int, ...]]] = []
        left = MAX_ANSWER_BYTES
        for reader in member.readers.values():
            if left <= 0:
                break
            was_wanted = reader.ring.key_wanted
            found = reader.ring.take(reader, now_s, left)
            if reader.ring.key_wanted and not was_wanted:
                stirred.add(reader.ring.sender)
                self._ask_elsewhere(member.room, reader.ring)
            if found:
                taken.append((reader, tuple(chunk.seq for chunk in found)))
                parts += [chunk.wire for chunk in found]
                left -= sum(len(chunk.wire) for chunk in found)
        about = self._about(member, now_s)
        if not parts and about == member.told and not even_nothing:
            return None
        if taken and nonce:
            member.given[nonce] = Given(now_s, taken)
        return b"".join([self._control(member, came_s, now_s, about), *parts])

    def _about(self, member: Member, now_s: float) -> str:
        """What a member is to know of its own streams, as JSON."""
        streams: dict[str, Any] = {}
        for stream, ring in member.rings.items():
            wanting = [one for one in ring.readers.values() if self._members[one.owner].wants_at(now_s)]
            limits = [one.most_kbit for one in wanting if one.most_kbit]
            streams[str(stream)] = {"wanted": bool(wanting), "key": bool(wanting) and ring.key_wanted}
            if limits:
                streams[str(stream)]["kbit"] = min(limits)
            if stream == DATA:
                streams[str(stream)]["acknowledged"] = ring.acknowledged_n
        return json.dumps(streams, separators=(",", ":"))

    def _control(self, member: Member, came_s: float, now_s: float, about: str | None = None) -> bytes:
        """The record an answer begins with."""
        if about is None:
            about = self._about(member, now_s)
        member.told = about
        skipped = {
            f"{sender}.{stream}": reader.skipped_n
            for (sender, stream), reader in member.readers.items()
            if reader.skipped_n > reader.said_n
        }
        full = (
            member.left_bytes < self._limits.bytes_per_s * BURST_S * FULL
            or self._bytes > self._limits.bytes * (1 - FULL)
            or (DATA in member.rings and member.rings[DATA].bytes > MAX_DATA_BYTES // 2)
        )
        text = f'{{"streams":{about},"skipped":{json.dumps(skipped)},"full":{"true" if full else "false"}'
        times = f'"came_ms":{came_s * 1000:.1f},"left_ms":{now_s * 1000:.1f}'
        return wire.control(f'{text},"parked":{len(member.parked)},{times}}}')

    def _stir(self, stirred: set[str], now_s: float, said: Said) -> None:
        """Answer those who have something to hear now and a request parked."""
        while stirred:
            member = self._members.get(stirred.pop())
            if member is None or not member.parked:
                continue
            parked = member.parked.popleft()
            found = self._say(member, parked.nonce, parked.came_s, now_s, stirred)
            if found is None:
                member.parked.appendleft(parked)
            else:
                said.append((parked.waiter, found))

    # -- other processes ---------------------------------------------------------------------------------------------------

    def _share(self, member: Member, body: bytes, wishes: tuple[Wish, ...] | None, is_news: bool, now_s: float) -> None:
        """Tell the other processes what came, and, now and then or when it matters, what is wanted."""
        if self._feed is None:
            return
        want = None
        if wishes is not None and (is_news or now_s - member.shared_s >= SHARE_S):
            want, member.shared_s = wire.spelled(wishes), now_s
        if body or want is not None:
            self._feed.send(Word(member.room.id, member.id, body, want))

    def _ask_elsewhere(self, room: Room, ring: Ring) -> None:
        if self._feed is not None:
            self._feed.send(Word(room.id, ring.sender, key=f"{ring.sender}.{ring.stream}"))

    def heard(self, word: Word) -> None:
        """What another process has told: as if its participant had asked here, but for the answer."""
        said: Said = []
        with self._lock:
            room = self._rooms.get(word.room)
            if room is None:
                return
            now_s = self._clock()
            try:
                stirred = self._hear(room, word, now_s)
            except errors.Problem:
                return  # more than this process may hold
            self._stir(stirred, now_s, said)
        _tell(said)

    def _hear(self, room: Room, word: Word, now_s: float) -> set[str]:
        if word.key:
            sender, _, stream = word.key.partition(".")
            self._ring(room, sender, int(stream)).key_wanted = True
            return {sender}
        member = self._members.get(word.who)
        if member is None:
            member = self._enter(word.who, room, now_s)
            # Whether it is in the room at all is looked up when it asks here itself.
            member.here_s = member.asked_s = -GONE_S
        member.heard_s = now_s
        stirred = self._take(member, wire.drafts(word.body), now_s)
        wishes = wire.asked(f"want={word.want}").wishes if word.want is not None else None
        return stirred | (self._wish(member, wishes, now_s) if wishes is not None else set())

    def _leave_to_others(self, now_s: float) -> None:
        """A room of which nobody asks here any more is not ours. Key frames that did not come are asked for again."""
        for room in list(self._rooms.values()):
            if all(not member.parked and now_s - member.asked_s > GONE_S for member in room.members.values()):
                for member in list(room.members.values()):
                    self._remove(member)
            for ring in room.rings.values():
                if ring.key_wanted and ring.readers:
                    self._ask_elsewhere(room, ring)
            for member in room.members.values():
                # Who waits here says nothing for a while, and must not be forgotten elsewhere.
                if member.parked:
                    wishes = (Wish(*name, one.said_n, False, one.most_kbit) for name, one in member.readers.items())
                    self._share(member, b"", tuple(wishes), False, now_s)

    # -- time passes, people go ----------------------------------------------------------------------------------------------

    def _park(self, member: Member, parked: Parked) -> None:
        member.parked.append(parked)
        if member.queued_s is None or parked.due_s < member.queued_s:
            self._queue(member, parked.due_s)

    def _queue(self, member: Member, due_s: float) -> None:
        member.queued_s = due_s
        heapq.heappush(self._deadlines, (due_s, next(self._order), member))

    def expire(self) -> float | None:
        """Answer every request whose time is over. Returns seconds until the next is due, None without any."""
        if not self._deadlines:
            return None
        said: Said = []
        with self._lock:
            now_s = self._clock()
            while self._deadlines and self._deadlines[0][0] <= now_s:
                queued_s, _, member = heapq.heappop(self._deadlines)
                if queued_s != member.queued_s:
                    continue
                member.queued_s = None
                for parked in [one for one in member.parked if one.due_s <= now_s]:
                    member.parked.remove(parked)
                    said.append((parked.waiter, self._control(member, parked.came_s, now_s)))
                if member.parked:
                    self._queue(member, min(one.due_s for one in member.parked))
            due_s = self._deadlines[0][0] - now_s if self._deadlines else None
        _tell(said)
        return due_s

    def hung_up(self, participant: str, waiter: Waiter) -> None:
        """The connection of a parked request is gone."""
        with self._lock:
            member = self._members.get(participant)
            if member is not None:
                member.parked = deque(one for one in member.parked if one.waiter is not waiter)

    def sweep(self) -> None:
        """Drop what is old, forget who has gone. To be called every second or so."""
        if not self._rooms:
            return
        said: Said = []
        with self._lock:
            now_s = self._clock()
            stirred: set[str] = set()
            for member in list(self._members.values()):
                if not member.parked and now_s - member.heard_s > GONE_S:
                    stirred |= self._remove(member)
                elif not member.wants_at(now_s):
                    stirred |= {sender for sender, _ in member.readers}
            if self._feed is not None:
                self._leave_to_others(now_s)
            for room in list(self._rooms.values()):
                for ring in list(room.rings.values()):
                    self._trim(ring, now_s)
                self._tidy(room)
            self._stir(stirred, now_s, said)
        _tell(said)

    def forget(self, participant: str) -> None:
        """This participant has left, or was removed: it gets nothing more, and what it sent is gone."""
        said: Said = []
        with self._lock:
            member = self._members.get(participant)
            if member is None:
                return
            stirred = self._remove(member)
            self._tidy(member.room)
            self._stir(stirred, self._clock(), said)
        for parked in member.parked:
            parked.waiter.refuse(errors.participant_gone())
        _tell(said)

    def _remove(self, member: Member) -> set[str]:
        """Whom it concerns. What others read of it ends with the ring's last chunk."""
        stirred = {sender for sender, _ in member.readers}
        for name in list(member.readers):
            self._unread(member, name)
        for ring in member.rings.values():
            self._bytes -= ring.bytes
            ring.bytes = 0
            ring.chunks.clear()
            ring.here.clear()
        del self._members[member.id]
        del member.room.members[member.id]
        return stirred

    def _tidy(self, room: Room) -> None:
        """A ring that holds nothing, that nobody reads and nobody fills, is no more; nor a room of which that is true."""
        for name, ring in list(room.rings.items()):
            owner = room.members.get(ring.sender)
            if not ring.chunks and not ring.readers:
                del room.rings[name]
                metrics.CHUNK_RINGS.dec()
                if owner is not None:
                    owner.rings.pop(ring.stream, None)
        if not room.members and not room.rings:
            self._rooms.pop(room.id, None)
            if self._feed is not None:
                self._feed.leave(room.id)

    def shut(self) -> None:
        """The process stops: answer every parked request, and each later one at once."""
        said: Said = []
        with self._lock:
            self._closing = True
            now_s = self._clock()
            for member in self._members.values():
                said += [(parked.waiter, self._control(member, parked.came_s, now_s)) for parked in member.parked]
                member.parked.clear()
        _tell(said)

    def close(self) -> None:
        """Shut, and listen to nobody any more."""
        self.shut()
        if self._feed is not None:
            self._feed.close()

    @property
    def parked(self) -> int:
        """How many requests wait."""
        return sum(len(member.parked) for member in list(self._members.values()))

    @property
    def bytes(self) -> int:
        """How much the rings hold."""
        return self._bytes


def _tell(said: Iterable[tuple[Waiter, bytes]]) -> None:
    for waiter, body in said:
        metrics.CHUNK_BYTES_OUT.inc(len(body))
        waiter.answer(body)
