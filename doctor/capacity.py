"""What this machine can carry, from measuring for a few seconds: `python app.py doctor --capacity`.

Each part is the product's own work in small: messages committed, an event loop that waits, packets taken in, pictures composed.
Nothing else should be running: what is used now is not there to be measured.
"""

import io
import json
import os
import shutil
import struct
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import insert

from recorder.rtp import header
from recorder.rtp.intake import Intake
from signaling import db, mailbox
from signaling.config import Settings
from signaling.models import Base, Message, Participant, Room

# How long each measurement lasts, seconds.
SECONDS = 1.5
# Of what a core can do, so much is used: the rest is for bursts.
FULL = 0.5
# On the machine of docs/figures.md: what it did in these very measurements, and what was measured there in earnest.
KIB_PARKED, FILES_A_PARKED = 2.7, 1
ROWS_A_COMMIT = 20
# A message is more than its row: its request, the poll that it answers (make bench-signaling).
MESSAGE_TIMES = 2.1
PACKETS_A_PERSON_S, PACKETS_A_FRAME = 300, 10
PAYLOAD = b"\x10" + bytes(1_100)
# Recording somebody is more than that: sockets, repair, reports, files (make bench-recorder: 0.022 of a core for one).
PACKET_TIMES = 12
# Composing four is more than encoding the picture of them: four decoders, scaling, sound (make bench-compose).
COMPOSE_TIMES = 1.3
GB_AN_HOUR_A_PERSON = 1.0
# Come as one of four, and leave (bench/scale.py).
MESSAGES_A_JOIN = 18


@dataclass(frozen=True)
class Capacity:
    """parked: participants whose polls wait; messages_per_s: committed here, by one web process; people_recorded: at once, all
    cores; recordings: of four; hours_of_recording: until the disk is full with that many; compose_speed: hours of a call of four
    in 720p composed in an hour."""

    cores: int
    parked: int
    messages_per_s: int
    people_recorded: int
    recordings: int
    hours_of_recording: float
    compose_speed: float


def measure(settings: Settings, cores: int | None = None) -> Capacity:
    """Takes about five seconds and leaves nothing behind."""
    cores = cores or len(os.sched_getaffinity(0))
    # One core is for the web process and the database; with one core, everything shares it.
    recorders = max(1, cores - 1)
    people = int(recorders * FULL * packets_per_s() / (PACKETS_A_PERSON_S * PACKET_TIMES))
    free_gb = shutil.disk_usage(settings.data_dir if settings.data_dir.exists() else Path()).free / 1e9
    return Capacity(
        cores=cores,
        parked=parked(),
        messages_per_s=messages_per_s(),
        people_recorded=people,
        recordings=people // 4,
        hours_of_recording=free_gb / max(1, people) / GB_AN_HOUR_A_PERSON,
        compose_speed=compose_speed(cores),
    )


def _times_a_second(work: Callable[[], int]) -> float:
    """How much of it is done in a second, by CPU time: what else runs at the moment is not counted."""
    began_s, done = time.process_time(), 0
    while time.process_time() - began_s < SECONDS:
        done += work()
    return done / (time.process_time() - began_s)


def parked() -> int:
    """By memory and by open files, whichever is less; a quarter of what is free may be used."""
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    free_kib = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024
    return int(min(files * 0.8 / FILES_A_PARKED, free_kib / 4 / KIB_PARKED))


def messages_per_s() -> int:
    """Committed to an SQLite database in the temporary folder, so many a commit as come in a turn of the loop under load."""
    with tempfile.TemporaryDirectory(prefix="letterbox-capacity-") as folder:
        engine = db.make_engine(Settings(data_dir=Path(folder)))
        Base.metadata.create_all(engine)
        ids = [f"p{n}" for n in range(ROWS_A_COMMIT)]
        with db.writing(engine) as connection:
            connection.execute(insert(Room).values(id="r", title="", host_key_hash="", settings={}, created_at_ms=0))
            person = {"room_id": "r", "kind": "person", "name": "", "role": "guest", "worker": "w", "joined_at_ms": 0}
            connection.execute(insert(Participant), [person | {"id": one, "token_hash": one} for one in ids])
        sent = 0

        def commit() -> int:
            nonlocal sent
            sent += 1
            message = {"n": sent, "sender_id": "p0", "kind": "note", "body": "{}" * 100, "created_at_ms": 0}
            with db.writing(engine) as connection:
                mailbox.lock(connection, ids)
                connection.execute(insert(Message), [message | {"recipient_id": one} for one in ids])
            return ROWS_A_COMMIT

        found = _times_a_second(commit)
        engine.dispose()
    return int(found * FULL / MESSAGE_TIMES)


def packets_per_s() -> float:
    """Packets whose seal is opened and that become frames in a second, by one core."""
    cipher, nonce, intake, n = AESGCM(bytes(16)), bytes(12), Intake("vp8", 90_000), 0

    def take_in() -> int:
        nonlocal n
        for _ in range(PACKETS_A_FRAME):
            n += 1
            said = struct.pack("!BBHII", 0x80, 96 | (n % PACKETS_A_FRAME == 0) << 7, n & 0xFFFF, n // PACKETS_A_FRAME * 3000, 1)
            opened = cipher.decrypt(nonce, cipher.encrypt(nonce, said + PAYLOAD, None), None)
            packet = header.parse(opened)
            intake.add(packet.seq, packet.timestamp, packet.marker, packet.payload, n * 3)
        return PACKETS_A_FRAME

    return _times_a_second(take_in)


def compose_speed(cores: int) -> float:
    """Pictures of 720p pasted from four and encoded as films are, by all cores; times real time at 30 a second."""
    grain = np.random.default_rng(1).integers(96, 128, (270, 320), dtype=np.uint8)
    smooth = np.kron(grain, np.ones((2, 2), np.uint8))
    with av.open(io.BytesIO(), "w", format="matroska") as film:
        stream = film.add_stream("libx264", rate=30, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        began_s, pictures = time.process_time(), 0
        while time.process_time() - began_s < SECONDS:
            cell = np.roll(smooth, pictures * 3, axis=1)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.tile(cell, (2, 2)), format="yuv420p")))
            pictures += 1
        film.mux(stream.encode(None))
        took_s = (time.process_time() - began_s) / cores
    return round(pictures / took_s / 30 / COMPOSE_TIMES, 2)


def in_words(found: Capacity) -> str:
    """For people."""
    recordings = f"{found.recordings:,} calls of four can be recorded at once, or {found.people_recorded} people in any calls;"
    lasts = f"with all of them the disk is full after {found.hours_of_recording:,.1f} hours."
    minutes = 60 / max(found.compose_speed, 0.01)
    return "\n".join(
        (
            f"Measured for a few seconds on {found.cores} cores; half of what they can do is kept for bursts:",
            f"  {found.parked:,} people can be in calls at once: their polls wait here, their media goes past this machine.",
            f"  {found.messages_per_s:,} messages a second can be delivered, on SQLite:"
            f" {found.messages_per_s // MESSAGES_A_JOIN:,} people joining calls of four each second.",
            f"  {recordings} {lasts}",
            f"  The film of an hour of four people in 720p is made in about {minutes:,.0f} minutes.",
            "What comes after one machine: docs/scale.md.",
        )
    )


def run(settings: Settings, as_json: bool) -> int:
    """Measure and say."""
    found = measure(settings)
    print(json.dumps(asdict(found)) if as_json else in_words(found))
    return 0
