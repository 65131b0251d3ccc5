"""What a house of so many people needs: the busiest hour simulated, priced with what was measured. `make scale` prints it.

The tables of docs/scale.md are this program's output (tests/test_scale.py). No clock, no network: the same figures everywhere.
"""

import math
from dataclasses import dataclass

import numpy as np

# What one thing costs, and how it was measured; "two cores" is the machine of docs/figures.md.
MESSAGE_CPU_MS = 0.13  # web, PostgreSQL: 0.19 ms less the database's 0.06 (make bench-signaling)
MESSAGE_DATABASE_MS = 0.06  # the database's part of it
DATABASE_MESSAGES_PER_S = 5_300  # sustained by one PostgreSQL beside one web process (make bench-signaling)
PARKED_KIB = 2.7  # one parked poll on PostgreSQL (make bench-signaling)
PARKED_CPU = 5.3e-6  # of a core, its renewals among it: 5.3 % at 10,000 (make bench-signaling)
POLL_BYTES = 781  # request and empty answer, as Chromium asks over HTTP/1.1 (make carried)
PAIR_MESSAGES = 8  # offer, answer, three batches of candidates each way (bench/signaling/handshake.py)
MESSAGE_BYTES = 4_000  # one of them: its POST and the poll that brings it, all headers among it: an estimate, on the high side
RECORDED_CPU = 0.022  # of a core for one 720p30 person (make bench-recorder)
RECORDER_BUDGET = 0.75  # of its core a recorder uses (recorder/capacity.py)
RECORDED_MBIT = 2.2  # one 720p30 person (make bench-recorder)
COMPOSE_OF_LENGTH = 0.32  # of the call's length, on two cores, four people (make bench-compose)
RELAYED_MBIT = 1.2  # one picture and voice through the relay, at the quality of a call of four

# What people do.
ROOM_SIZES = ((2, 0.5), (3, 0.15), (4, 0.15), (6, 0.12), (8, 0.08))
CALL_MIN = (15, 30, 45, 60)
ON_THE_HOUR = 0.6  # of all calls begin at :00 or :30, people coming within a minute or so of it
POLL_S = 25
RECORDED = 0.1
RELAYED = 0.17
FULL = 0.5  # how much of a core or a database is used in the busiest ten seconds
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class Hour:
    """The busiest hour. people: in calls at once, at most; the others a second, in its busiest ten seconds."""

    people: int
    joins: float
    messages: float
    rooms: int


@dataclass(frozen=True)
class Needs:
    """web_mb: of parked polls; rows: written and deleted a second; shards: databases; gb_an_hour: written by recorders."""

    hour: Hour
    web_cores: float
    web_mb: float
    database_cores: float
    rows: float
    shards: int
    signaling_mbit: float
    recorder_cores: float
    gb_an_hour: float
    compose_cores: float
    relay_gbit: float


def hour(people: int, seed: int = 1) -> Hour:
    """Two hours of calls, of which the second is looked at, so that about so many are in calls at once."""
    chance = np.random.default_rng(seed)
    sizes, shares = (np.array(one) for one in zip(*ROOM_SIZES, strict=True))
    mean_min = float(np.mean(CALL_MIN))
    # By Little's law: in calls at once = rooms begun a minute × people in one × how long one stays.
    rooms = max(1, round(people / (sizes @ shares) / mean_min * 120))
    size = chance.choice(sizes, rooms, p=shares)
    begins_s = chance.uniform(0, 7200, rooms)
    on_time = chance.random(rooms) < ON_THE_HOUR
    begins_s[on_time] = np.round(begins_s[on_time] / 1800) * 1800
    lasts_s = chance.choice(CALL_MIN, rooms) * 60.0
    room = np.repeat(np.arange(rooms), size)
    joins_s = begins_s[room] + chance.normal(0, 45, len(room))
    leaves_s = begins_s[room] + lasts_s[room] + chance.normal(0, 10, len(room))
    # Who comes as the n-th finds n - 1 others: a notice and a handshake with each; who leaves tells those who are left.
    place = np.empty(len(room))
    order = np.lexsort((joins_s, room))
    place[order] = np.arange(len(room)) - np.repeat(np.cumsum(size) - size, size)
    at_join = place * (1 + PAIR_MESSAGES) + place * 2
    at_leave = size[room] - 1 - place
    tens = np.arange(3600, 7201, 10)
    joined = np.histogram(joins_s, tens)[0]
    written = np.histogram(joins_s, tens, weights=at_join)[0] + np.histogram(leaves_s, tens, weights=at_leave)[0]
    here = np.array([np.count_nonzero((joins_s <= at) & (leaves_s > at)) for at in range(3600, 7201, 300)])
    return Hour(int(here.max()), float(joined.max() / 10), float(written.max() / 10), int(here.max() / (sizes @ shares)))


def needs(people: int) -> Needs:
    found = hour(people)
    mean_size = sum(size * share for size, share in ROOM_SIZES)
    recorded = found.people * RECORDED
    idle_per_s = found.people / POLL_S
    return Needs(
        hour=found,
        web_cores=(found.messages * MESSAGE_CPU_MS / 1000 + found.people * PARKED_CPU) / FULL,
        web_mb=found.people * PARKED_KIB / 1024,
        database_cores=found.messages * MESSAGE_DATABASE_MS / 1000 / FULL,
        rows=found.messages * 2,  # written, and deleted when acknowledged
        shards=math.ceil(found.messages / (DATABASE_MESSAGES_PER_S * FULL)),
        signaling_mbit=(found.messages * MESSAGE_BYTES + idle_per_s * POLL_BYTES) * 8 / 1e6,
        recorder_cores=recorded * RECORDED_CPU / RECORDER_BUDGET,
        gb_an_hour=recorded * RECORDED_MBIT / 8 * 3600 / 1000,
        compose_cores=recorded / mean_size * COMPOSE_OF_LENGTH * 2,
        relay_gbit=found.people * RELAYED * (mean_size - 1) * RELAYED_MBIT * 2 / 1000,
    )


def two_digits(value: float) -> str:
    """As exact as it is."""
    if value < 0.1:
        return "0"
    digits = 1 - math.floor(math.log10(value))
    rounded = round(value, digits)
    return f"{rounded:,.1f}" if digits > 0 else f"{rounded:,.0f}"


def at_least_one(cores: float) -> str:
    return f"{max(1, math.ceil(float(two_digits(cores).replace(',', '')))):,}"


def table() -> str:
    """What each size needs, as Markdown."""
    columns = [needs(people) for people in SIZES]
    rows = [
        ("joining a second, busiest ten seconds", lambda one: two_digits(one.hour.joins)),
        ("messages a second then", lambda one: two_digits(one.hour.messages)),
        ("rows written and deleted a second then", lambda one: two_digits(one.rows)),
        ("web cores", lambda one: at_least_one(one.web_cores)),
        ("memory of parked polls, MB", lambda one: two_digits(one.web_mb)),
        ("database cores", lambda one: at_least_one(one.database_cores)),
        ("**houses (databases)**", lambda one: f"**{one.shards:,}**"),
        ("signaling, Mbit/s then", lambda one: two_digits(one.signaling_mbit)),
        ("recorder cores", lambda one: at_least_one(one.recorder_cores)),
        ("recorded, GB an hour", lambda one: two_digits(one.gb_an_hour)),
        ("composer cores, to keep up", lambda one: at_least_one(one.compose_cores)),
        ("relay, Gbit/s in and out", lambda one: two_digits(one.relay_gbit)),
    ]
    lines = ["| people in calls at once | " + " | ".join(f"{people:,}" for people in SIZES) + " |", "|---" * 6 + "|"]
    lines += [f"| {name} | " + " | ".join(show(one) for one in columns) + " |" for name, show in rows]
    return "\n".join(lines)


def per_hour() -> str:
    """What one person costs in an hour of a call of four, as Markdown."""
    cost = 1.5 * (1 + PAIR_MESSAGES) + 1.5 * 2 + 1.5  # come as one of four, on average second or third; and leave
    polls, recorded_gb = 3600 / POLL_S, RECORDED_MBIT / 8 * 3.6
    rows = [
        ("signaling", f"{(cost * MESSAGE_BYTES + polls * POLL_BYTES) / 1000:,.0f} kB",
         f"{cost * (MESSAGE_CPU_MS + MESSAGE_DATABASE_MS) / 1000 + PARKED_CPU * 3600:.3f} s",
         f"{cost:.0f} rows, gone when acknowledged"),
        ("media of the call", "0 on the server", "0", "–"),
        ("being recorded", f"{recorded_gb:.1f} GB", f"{RECORDED_CPU * 3600:.0f} s", f"{recorded_gb:.1f} GB"),
        ("the film, each person's part", "–", f"{COMPOSE_OF_LENGTH * 2 * 3600 / 4:.0f} s", "0.2 to 0.5 GB"),
        ("being relayed (if)", f"{3 * 2 * RELAYED_MBIT / 8 * 3.6:.1f} GB", "the relay's", "–"),
    ]  # fmt: skip
    lines = ["| one hour of one of four people | bytes through the server | CPU | kept |", "|---|---|---|---|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


if __name__ == "__main__":
    print(per_hour(), table(), sep="\n\n")
