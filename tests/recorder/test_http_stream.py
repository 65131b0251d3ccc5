"""Chunks in any order, with holes and copies, under keys that come late: what of them becomes frames."""

import base64
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed import OPUS, VP8, Sealer, plain

from recorder.chunks import wire
from recorder.chunks.chat import DATA, HttpChat
from recorder.chunks.seal import KeyPair, Keys
from recorder.chunks.stream import HOLE_MS, HttpIntake, HttpStream
from recorder.chunks.wire import Chunk, Inside
from recorder.rtp.frames import Frame

AT_US = 1_795_470_000_000_000
LATER_US = AT_US + HOLE_MS * 1000 + 1
CAMERA, MICROPHONE = 1, 0


def clear(_stream: int, _flags: int, _n: int, sealed: bytes) -> bytes:
    return sealed


def picture(n: int, is_key: bool) -> Chunk:
    return Chunk("p1", CAMERA, int(is_key), n, plain(VP8, is_key, n * 40_000, AT_US + n * 40_000, b"picture", (320, 180)))


def packet(n: int) -> Chunk:
    return Chunk("p1", MICROPHONE, 3, n, plain(OPUS, True, n * 20_000, AT_US + n * 20_000, b"packet"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_the_order_each_packet_is_handed_on_once_and_in_order(data: st.DataObject) -> None:
    come = data.draw(st.sets(st.integers(1, 30), min_size=1))
    order = data.draw(st.permutations([*come, *data.draw(st.lists(st.sampled_from(sorted(come)), max_size=10))]))
    intake = HttpIntake(MICROPHONE, clear)
    got: list[int] = []

    for n in order:
        intake.add(packet(n), AT_US)
        got += [inside.timestamp_us // 20_000 for _, inside in intake.take(AT_US)]
    got += [inside.timestamp_us // 20_000 for _, inside in intake.take(LATER_US)]

    assert got == sorted(come)
    assert intake.lost == max(come) - min(come) + 1 - len(come)
    assert intake.after == max(come)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(1, 40), min_size=1), st.sets(st.integers(1, 40)))
def test_after_a_hole_pictures_go_on_with_a_key_frame(come: set[int], keys: set[int]) -> None:
    intake = HttpIntake(CAMERA, clear)
    for n in come:
        intake.add(picture(n, n in keys), AT_US)

    got = [inside.timestamp_us // 40_000 for _, inside in intake.take(LATER_US)]

    expected, able, before = [], False, 0
    for n in sorted(come):
        able = n in keys or (able and n == before + 1)
        before = n
        if able:
            expected.append(n)
    assert got == expected


def test_what_the_server_says_is_gone_is_not_waited_for() -> None:
    intake = HttpIntake(MICROPHONE, clear)
    intake.add(packet(7), AT_US)
    assert intake.take(AT_US) == []

    intake.skip(6)

    assert [frame.timestamp for frame, _ in intake.take(AT_US)] == [140_000]
    assert intake.after == 7


def test_a_chunk_waits_for_its_key_and_a_forged_one_is_lost() -> None:
    ours, theirs = KeyPair(), Sealer()
    keys = Keys(ours, base64.b64encode(theirs.public).decode())
    intake = HttpIntake(MICROPHONE, keys.unseal)
    sealed = [theirs.seal(MICROPHONE, 3, n, packet(n).sealed) for n in (1, 2, 3)]
    for n, one in enumerate(sealed, 1):
        # The second was sealed under another number: somebody between has moved it.
        intake.add(Chunk("p1", MICROPHONE, 3, n, sealed[0] if n == 2 else one), AT_US)
    assert intake.take(AT_US) == []

    keys.add(**theirs.wrapped_for(ours.public))

    assert [(frame.timestamp, frame.lost) for frame, _ in intake.take(AT_US)] == [(20_000, 0), (60_000, 1)]


def test_a_key_wrapped_for_somebody_else_is_refused() -> None:
    theirs = Sealer()
    keys = Keys(KeyPair(), base64.b64encode(theirs.public).decode())

    with pytest.raises(ValueError, match="not wrapped for us"):
        keys.add(**theirs.wrapped_for(KeyPair().public))


def test_who_meets_the_recorder_gets_a_key_of_its_as_of_any_participant() -> None:
    ours, theirs = KeyPair(), Sealer()
    keys = Keys(ours, base64.b64encode(theirs.public).decode())

    assert len(theirs.unwrap(ours.public, keys.ours())) == 32


def line(to: str, text: bytes, kind: int = 0, label: bytes = b"chat") -> bytes:
    """A part of a message in the stream for data (static/call/http/data.js)."""
    return bytes([len(to)]) + to.encode() + bytes([kind, len(label)]) + label + text


def test_lines_of_chat_for_the_recorder_are_heard_whole_and_those_for_others_are_not() -> None:
    chat = HttpChat("rec", clear)
    parts = [
        line("rec", b"a lo", 128),
        line("bob", b"between"),
        line("rec", b"file", 1),
        line("rec", b"x", label=b"f"),
        line("rec", b"ng one"),
    ]
    for n in (5, 1, 2, 4, 3):
        chat.add(Chunk("p1", DATA, 0, n, parts[n - 1]), AT_US)

    assert list(chat.take(AT_US)) == ["a long one"]
    assert chat.after == 5


def test_a_picture_that_is_missing_has_a_key_frame_asked_for_before_it_is_given_up() -> None:
    intake, at_ms = HttpIntake(CAMERA, clear), AT_US // 1000
    intake.add(picture(1, is_key=True), AT_US)
    assert len(intake.take(AT_US)) == 1
    assert intake.wants_key(at_ms + 100) is False
    intake.add(picture(3, is_key=False), AT_US + 100_000)
    assert intake.take(AT_US + 100_000) == []

    assert intake.wants_key(at_ms + 600) is True
    assert intake.wants_key(at_ms + 800) is False


def test_a_codec_that_changes_or_a_clock_that_begins_anew_is_another_stream() -> None:
    frame, inside = _first(packet(1))
    stream = HttpStream(HttpIntake(MICROPHONE, clear), "opus", inside.wall_us - inside.timestamp_us)

    later = wire.inside(plain(OPUS, True, 0, AT_US + 60_000_000, b"packet"))

    assert stream.suits(frame, inside)
    assert not stream.suits(frame, later)
    assert not HttpStream(stream.intake, "vp8", stream.ahead_us).suits(frame, inside)


def _first(chunk: Chunk) -> tuple[Frame, Inside]:
    intake = HttpIntake(chunk.stream, clear)
    intake.add(chunk, AT_US)
    return intake.take(LATER_US)[0]


def test_of_each_second_the_quickest_chunk_tells_the_clock() -> None:
    stream = HttpStream(HttpIntake(MICROPHONE, clear), "opus", AT_US)
    for n, late_us in ((1, 90_000), (2, 50_000), (3, 70_000), (60, 80_000)):
        _, inside = _first(packet(n))
        stream.note(inside, inside.wall_us + late_us)

    assert [(report.timestamp // 20_000, report.arrival_us - report.ntp_us) for report in stream.clock] == [
        (2, 50_000),
        (60, 80_000),
    ]


@given(st.binary(max_size=80))
def test_no_bytes_at_all_make_the_reader_fail(data: bytes) -> None:
    for reader in (wire.read, wire.inside):
        try:
            reader(data)
        except ValueError:
            pass
    with pytest.raises(ValueError, match="whole"):
        wire.read(struct.pack(">BI", 0, 2) + b"{}" + b"\x02\x01p" + struct.pack(">BBII", 0, 0, 1, 9) + b"short")
