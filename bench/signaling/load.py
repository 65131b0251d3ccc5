"""What is done to a system under load, the same to each: a steady stream, as much as it takes, a storm of handshakes.

Every message carries a number, counted per direction of a pair; every run ends by checking that each number arrived once
and in its turn.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.signaling import handshake
from bench.signaling.peer import Pair, Peer
from bench.signaling.wire import Loop

# How long after the last message was sent the last one may take to arrive, seconds.
DRAIN_S = 10.0


@dataclass
class Verdict:
    """What became of the messages. faults: breaches of the system's own numbering, refused requests included."""

    sent: int = 0
    lost: int = 0
    repeated: int = 0
    out_of_order: int = 0
    faults: int = 0

    def add(self, other: "Verdict") -> None:
        self.sent += other.sent
        self.lost += other.lost
        self.repeated += other.repeated
        self.out_of_order += other.out_of_order
        self.faults += other.faults


class Stream:
    """Messages of one peer to its partner. latencies: seconds from handing one over to hearing it."""

    __slots__ = ("_expected", "_missing", "_out_of_order", "_repeated", "_sent_at", "latencies", "listener", "sender")

    def __init__(self, sender: Peer, receiver: Peer, listener: Callable[[int], None] | None = None) -> None:
        self.sender = sender
        self.listener = listener
        self.latencies: list[float] = []
        self._sent_at: list[float] = []
        self._expected = self._repeated = self._out_of_order = 0
        self._missing: set[int] = set()
        receiver.heard = self._heard

    def send(self, kind: str, rest: bytes, accepted: Callable[[], None]) -> None:
        """One message; `rest` is its body after the number."""
        body = b'{"i":"%08d",%b' % (len(self._sent_at), rest)
        self._sent_at.append(time.perf_counter())
        self.sender.send(kind, body, accepted)

    def _heard(self, number: int) -> None:
        if number == self._expected:
            self._expected += 1
        elif number > self._expected:
            self._out_of_order += 1
            self._missing.update(range(self._expected, number))
            self._expected = number + 1
        elif number in self._missing:
            self._missing.remove(number)
        else:
            self._repeated += 1
            return
        self.latencies.append(time.perf_counter() - self._sent_at[number])
        if self.listener is not None:
            self.listener(number)

    @property
    def settled(self) -> bool:
        return self._expected == len(self._sent_at) and not self._missing

    def verdict(self) -> Verdict:
        lost = len(self._sent_at) - self._expected + len(self._missing)
        return Verdict(len(self._sent_at), lost, self._repeated, self._out_of_order)


def settle(loop: Loop, streams: Sequence[Stream], pairs: Sequence[Pair]) -> Verdict:
    """Wait for what is still on its way; then judge."""
    # What comes twice may come late.
    loop.run(lambda: all(stream.settled for stream in streams), DRAIN_S)
    loop.sleep(0.1)
    total = Verdict(faults=len(loop.failures))
    for stream in streams:
        total.add(stream.verdict())
    total.faults += sum(peer.faults() for pair in pairs for peer in pair)
    return total


# A small message, about as large as one candidate.
SMALL = b'"candidates":[{"candidate":"%b","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"4ZcD"}]}' % (
    handshake.CANDIDATES[0].encode()
)


@dataclass
class Steady:
    """latencies_s: of all messages; in_time: all of them arrived within a second."""

    latencies_s: list[float]
    verdict: Verdict

    @property
    def in_time(self) -> bool:
        return not self.verdict.lost and max(self.latencies_s) < 1.0


def steady(loop: Loop, pairs: Sequence[Pair], per_s: float, seconds: float) -> Steady:
    """So many messages a second, evenly, round the pairs, whether or not the earlier ones have arrived.

    A sender whose last message has not been accepted yet is passed over: the turn goes to the next pair.
    """
    streams = [Stream(sender, receiver) for sender, receiver in pairs]
    free = set(range(len(streams)))
    turns = itertools.cycle(range(len(streams)))
    start_s = time.perf_counter()
    count = round(per_s * seconds)
    sent = itertools.count(1)
    done = 0

    def tick() -> None:
        nonlocal done
        turn = next((turn for turn in itertools.islice(turns, len(streams)) if turn in free), None)
        if turn is not None:
            free.discard(turn)
            streams[turn].send("candidate", SMALL, lambda: free.add(turn))
        done = next(sent)
        if done < count:
            loop.at(start_s + done / per_s, tick)

    tick()
    loop.run(lambda: done >= count, seconds + DRAIN_S)
    verdict = settle(loop, streams, pairs)
    verdict.lost += max(0, count - verdict.sent)
    return Steady([latency for stream in streams for latency in stream.latencies], verdict)


@dataclass
class Full:
    """per_s: messages delivered a second; cpu_ms: server CPU of one; generator: share of its core the generator used."""

    per_s: float
    cpu_ms: float
    generator: float
    verdict: Verdict


class _Flight:
    """One pair with one message in flight: the next leaves when the last one was both accepted and heard."""

    __slots__ = ("_open", "_pending", "arrived", "stream")

    def __init__(self, pair: Pair) -> None:
        self.stream = Stream(*pair, self._heard)
        self.arrived = 0
        self._pending = 0
        self._open = True

    def launch(self) -> None:
        self._pending = 2
        self.stream.send("candidate", SMALL, self._one_done)

    def _heard(self, _number: int) -> None:
        self.arrived += 1
        self._one_done()

    def _one_done(self) -> None:
        self._pending -= 1
        if not self._pending and self._open:
            self.launch()

    def land(self) -> None:
        self._open = False


def full(loop: Loop, pairs: Sequence[Pair], seconds: float, cpu_s: Callable[[], float]) -> Full:
    """As many messages as the system delivers, one in flight per pair, after a second to warm up."""
    flights = [_Flight(pair) for pair in pairs]
    for flight in flights:
        flight.launch()
    loop.sleep(min(1.0, seconds / 2))
    began = _count(flights), time.perf_counter(), cpu_s(), time.process_time()
    loop.sleep(seconds)
    ended = _count(flights), time.perf_counter(), cpu_s(), time.process_time()
    for flight in flights:
        flight.land()
    verdict = settle(loop, [flight.stream for flight in flights], pairs)
    arrived, lasted_s, used_s, generator_s = (after - before for before, after in zip(began, ended, strict=True))
    return Full(arrived / lasted_s, used_s / max(1, arrived) * 1000, generator_s / lasted_s, verdict)


def _count(flights: Sequence[_Flight]) -> int:
    return sum(flight.arrived for flight in flights)


@dataclass
class Storm:
    """seconds: from the first offer to the last message heard."""

    seconds: float
    verdict: Verdict


class _Side:
    """One side of a handshake: says its messages one after the other, each as soon as the one before it was accepted."""

    def __init__(self, stream: Stream, script: Sequence[tuple[str, bytes]]) -> None:
        self.stream = stream
        self._script = iter(script)

    def go_on(self) -> None:
        said = next(self._script, None)
        if said is not None:
            self.stream.send(*said, self.go_on)


def storm(loop: Loop, pairs: Sequence[Pair]) -> Storm:
    """All pairs shake hands at once: an offer and its candidates, and on the offer an answer and its candidates."""
    total = len(pairs) * (len(handshake.OFFER) + len(handshake.ANSWER))
    heard, last_s = itertools.count(1), 0.0
    arrived = 0

    def note(_number: int) -> None:
        nonlocal arrived, last_s
        arrived, last_s = next(heard), time.perf_counter()

    offering, answering = [], []
    for first, second in pairs:
        answer = _Side(Stream(second, first, note), handshake.ANSWER)

        def offered(number: int, answer: _Side = answer) -> None:
            note(number)
            if number == 0:
                answer.go_on()

        offering.append(_Side(Stream(first, second, offered), handshake.OFFER))
        answering.append(answer)
    start_s = time.perf_counter()
    for side in offering:
        side.go_on()
    loop.run(lambda: arrived >= total, 60)
    verdict = settle(loop, [side.stream for side in offering + answering], pairs)
    verdict.lost += max(0, total - verdict.sent)
    return Storm(last_s - start_s, verdict)
