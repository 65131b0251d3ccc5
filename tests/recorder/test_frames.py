"""Frames out of payloads made by hand: VP8 as RFC 7741 says, H.264 as RFC 6184 says; whole frames or none."""

from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.rtp.frames import ASSEMBLERS, START_CODE, Assembler, Frame, H264Assembler, OpusAssembler, Vp8Assembler, nal_units
from recorder.rtp.intake import KEY_AGAIN_MS, KEY_EVERY_MS, Intake
from recorder.rtp.packets import Packet

AT_MS = 1_795_470_000_000


class Line:
    """Numbers packets and feeds them to an assembler."""

    def __init__(self, assembler: Assembler) -> None:
        self.assembler, self.seq = assembler, 70_000

    def send(self, timestamp: int, payload: bytes, marker: bool = False, lost: int = 0) -> Frame | None:
        self.seq += 1 + lost
        return self.assembler.add(Packet(self.seq, timestamp, marker, payload, AT_MS), lost)


def vp8_frame(key: bool, width: int = 640, height: int = 360, body: bytes = b"picture") -> bytes:
    """RFC 6386 section 9.1: a tag of three bytes whose first bit is 0 in a key frame; then start code and size."""
    if not key:
        return b"\x01\x00\x00" + body
    return b"\x00\x00\x00\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + body


START, GO_ON = b"\x10", b"\x00"


def vp8_line(begun: bool = True) -> Line:
    line = Line(Vp8Assembler())
    if begun:
        assert line.send(0, START + vp8_frame(True), True) is not None
    return line


# -- VP8 --------------------------------------------------------------------------------------------------------------------


def test_a_key_frame_of_three_packets_is_one_frame_with_its_size() -> None:
    line, data = Line(Vp8Assembler()), vp8_frame(True, 1280, 720, bytes(range(100)))
    assert line.send(9000, START + data[:40]) is None
    assert line.send(9000, GO_ON + data[40:80]) is None
    frame = line.send(9000, GO_ON + data[80:], True)
    assert frame is not None
    assert (frame.data, frame.is_key, frame.size, frame.timestamp) == (data, True, (1280, 720), 9000)


def test_every_form_of_the_vp8_descriptor_is_taken_off() -> None:
    data = vp8_frame(True)
    # X; then I with 7 or 15 bits of picture id, L, T, K and all of them (RFC 7741 section 4.2).
    for descriptor in (
        b"\x90\x00", b"\x90\x80\x11", b"\x90\x80\x81\x11", b"\x90\x40\x05", b"\x90\x20\x40",
        b"\x90\x10\x03", b"\xb0\xf0\x81\x11\x05\x43",
    ):  # fmt: skip
        frame = Line(Vp8Assembler()).send(1, descriptor + data, True)
        assert frame is not None, descriptor.hex()
        assert frame.data == data, descriptor.hex()


def test_a_video_begins_with_a_key_frame() -> None:
    line = vp8_line(begun=False)
    assert line.send(1, START + vp8_frame(False), True) is None
    assert line.assembler.wants_key
    assert line.send(2, START + vp8_frame(True), True) is not None
    assert line.send(3, START + vp8_frame(False), True) is not None


def test_a_key_frame_whose_beginning_was_lost_is_none() -> None:
    line = vp8_line(begun=False)
    assert line.send(1, GO_ON + vp8_frame(True), True) is None
    assert line.send(2, b"\x11" + vp8_frame(True), True) is None, "a later partition (PID 1) is no beginning either"


def test_after_a_loss_nothing_comes_until_the_next_key_frame() -> None:
    line = vp8_line()
    assert line.send(1, START + vp8_frame(False), True, lost=2) is None
    assert line.send(2, START + vp8_frame(False), True) is None
    frame = line.send(3, START + vp8_frame(True), True)
    assert frame is not None
    assert frame.lost == 2


def test_a_loss_inside_a_frame_spoils_that_frame_even_if_it_is_a_key_frame() -> None:
    line = vp8_line()
    line.send(1, START + vp8_frame(True))
    assert line.send(1, GO_ON + b"end", True, lost=1) is None
    assert line.assembler.wants_key


def test_a_frame_that_never_ended_is_missed_by_those_that_build_on_it() -> None:
    line = vp8_line()
    line.send(1, START + vp8_frame(False))
    assert line.send(2, START + vp8_frame(False), True) is None
    assert line.assembler.wants_key


def test_padding_between_frames_does_no_harm() -> None:
    line = vp8_line()
    assert line.send(0, b"") is None
    assert line.send(3000, START + vp8_frame(False), True) is not None
    assert line.send(3000, b"", True) is None
    assert line.send(6000, START + vp8_frame(False), True) is not None


# -- H.264 ------------------------------------------------------------------------------------------------------------------

SPS, PPS = b"\x67\x42\xe0\x1f\x11", b"\x68\xce\x3c\x80"
# The first bit after the header is first_mb_in_slice = 0: the slice that begins a picture (ITU-T H.264 section 7.3.3).
IDR, SLICE = b"\x65\x88" + b"i" * 40, b"\x41\x9a" + b"p" * 40
LATER_IDR_SLICE = b"\x65\x44" + b"j" * 40


def annex_b(*units: bytes) -> bytes:
    return b"".join(START_CODE + unit for unit in units)


def stap_a(*units: bytes) -> bytes:
    return b"\x78" + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)


def fu_a(unit: bytes, parts: int) -> list[bytes]:
    indicator, kind, body = unit[0] & 0xE0 | 28, unit[0] & 0x1F, unit[1:]
    step = -(-len(body) // parts)
    pieces = [body[at : at + step] for at in range(0, len(body), step)]
    flags = [(0x80 if number == 0 else 0) | (0x40 if number == len(pieces) - 1 else 0) for number in range(len(pieces))]
    return [bytes([indicator, flag | kind]) + piece for flag, piece in zip(flags, pieces, strict=True)]


def test_aggregated_and_fragmented_units_are_one_key_frame() -> None:
    line = Line(H264Assembler())
    assert line.send(1, stap_a(SPS, PPS)) is None
    first, second, third = fu_a(IDR, 3)
    assert line.send(1, first) is None
    assert line.send(1, second) is None
    frame = line.send(1, third, True)
    assert frame is not None
    assert (frame.data, frame.is_key) == (annex_b(SPS, PPS, IDR), True)


def test_a_key_frame_without_parameter_sets_gets_the_last_ones() -> None:
    line = Line(H264Assembler())
    line.send(1, stap_a(SPS, PPS, IDR), True)
    assert line.send(2, SLICE, True) is not None
    frame = line.send(3, IDR, True)
    assert frame is not None
    assert frame.data == annex_b(SPS, PPS, IDR)


def test_a_key_frame_is_none_while_no_parameter_sets_are_known() -> None:
    line = Line(H264Assembler())
    assert line.send(1, IDR, True) is None
    assert line.send(2, SLICE, True) is None
    assert line.assembler.wants_key
    assert line.send(3, stap_a(SPS, PPS), True) is None
    frame = line.send(4, IDR, True)
    assert frame is not None
    assert frame.data == annex_b(SPS, PPS, IDR)


def test_a_key_frame_whose_first_slice_was_lost_is_none() -> None:
    line = Line(H264Assembler())
    line.send(1, stap_a(SPS, PPS, IDR), True)
    for later in (LATER_IDR_SLICE, fu_a(LATER_IDR_SLICE, 2)[0], stap_a(LATER_IDR_SLICE)):
        assert line.send(2, later, True, lost=1) is None
        assert line.assembler.wants_key
        line.send(3, stap_a(SPS, PPS, IDR), True)


def test_a_fragment_without_its_beginning_is_nothing() -> None:
    line = Line(H264Assembler())
    line.send(1, stap_a(SPS, PPS, IDR), True)
    assert line.send(2, fu_a(IDR, 3)[1], True, lost=1) is None


def test_an_aggregate_that_says_more_than_it_has_is_nothing() -> None:
    line = Line(H264Assembler())
    assert line.send(1, stap_a(SPS, PPS, IDR)[:-1], True) is None
    assert line.assembler.wants_key


def test_units_are_told_apart_by_their_start_codes() -> None:
    assert nal_units(annex_b(SPS, PPS, IDR)) == [SPS, PPS, IDR]


# -- Opus -------------------------------------------------------------------------------------------------------------------


def test_every_opus_packet_is_a_frame_and_a_probe_without_payload_is_none() -> None:
    line = Line(OpusAssembler())
    assert line.send(960, b"") is None
    frame = line.send(1920, b"\xfc\x01\x02", lost=1)
    assert frame is not None
    assert (frame.data, frame.is_key, frame.lost) == (b"\xfc\x01\x02", True, 1)


# -- anything at all --------------------------------------------------------------------------------------------------------

likely = st.one_of(
    st.sampled_from(
        [
            b"\x10" + vp8_frame(True),
            b"\x10" + vp8_frame(False),
            b"\x00abc",
            stap_a(SPS, PPS, IDR),
            SLICE,
            IDR,
            *fu_a(IDR, 3),
            b"\x7c",
        ]
    ),
    st.binary(max_size=24),
)


@given(
    st.sampled_from(sorted(ASSEMBLERS)),
    st.lists(st.tuples(st.integers(0, 2), st.booleans(), likely, st.integers(0, 2)), max_size=50),
)
@settings(max_examples=300, deadline=None)
def test_no_payload_raises_and_no_video_begins_without_a_key_frame(codec: str, sent: list[tuple[int, bool, bytes, int]]) -> None:
    line, timestamp, begun = Line(ASSEMBLERS[codec]()), 1, False
    for step, marker, payload, lost in sent:
        timestamp += step
        begun = begun and not (lost and codec != "opus")
        frame = line.send(timestamp, payload, marker, lost)
        if frame is not None:
            assert frame.data
            assert frame.is_key or begun, "a frame that builds on one that is not there"
            begun = True


@given(
    st.sampled_from(sorted(ASSEMBLERS)),
    st.lists(st.tuples(st.integers(0, 65_535), st.integers(0, (1 << 32) - 1), likely), max_size=50),
)
@settings(max_examples=100, deadline=None)
def test_no_packet_at_all_raises(codec: str, sent: list[tuple[int, int, bytes]]) -> None:
    intake, frames = Intake(codec, 90_000), []
    for at_ms, (seq, timestamp, payload) in enumerate(sent):
        frames += intake.add(seq, timestamp, True, payload, AT_MS + at_ms)
    frames += intake.drain()
    assert all(frame.timestamp > 0 and frame.data for frame in frames)
    assert not frames or frames[0].is_key


# -- asking for key frames ----------------------------------------------------------------------------------------------------


def test_a_key_frame_is_asked_for_at_once_again_and_then_now_and_again() -> None:
    intake = Intake("vp8", 90_000)
    assert intake.wants_key(AT_MS)
    assert not intake.wants_key(AT_MS + KEY_AGAIN_MS - 1)
    assert intake.wants_key(AT_MS + KEY_AGAIN_MS)
    came_ms = AT_MS + KEY_AGAIN_MS + 50
    assert len(intake.add(1, 0, True, START + vp8_frame(True), came_ms)) == 1
    assert not intake.wants_key(came_ms + KEY_EVERY_MS - 1)
    assert intake.wants_key(came_ms + KEY_EVERY_MS)


def test_a_clock_that_is_set_back_does_not_keep_us_from_asking() -> None:
    intake = Intake("vp8", 90_000)
    assert intake.wants_key(AT_MS)
    assert intake.wants_key(AT_MS - 3_600_000)


def test_sound_needs_no_key_frame() -> None:
    assert not Intake("opus", 48_000).wants_key(AT_MS)
