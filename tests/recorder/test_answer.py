"""What we add to aiortc's answers."""

from aiortc import sdp as aiortc_sdp

from recorder.answer import completed

ANSWER = "\r\n".join([
    "v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=recvonly", "a=mid:0", "a=rtpmap:111 opus/48000/2",
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 103", "c=IN IP4 0.0.0.0", "a=recvonly", "a=mid:1",
    "a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96",
    "a=rtpmap:103 H264/90000", "a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    "m=video 9 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=recvonly", "a=mid:2", "a=rtpmap:96 VP8/90000", "",
])  # fmt: skip


def test_pictures_begin_at_a_good_rate_in_every_section_and_codec():
    described = aiortc_sdp.SessionDescription.parse(completed(ANSWER))

    for media in described.media[1:]:
        for codec in media.rtp.codecs:
            if codec.name != "rtx":
                assert codec.parameters["x-google-start-bitrate"] == "2500"


def test_the_parameters_that_were_there_stay():
    (h264,) = [line for line in completed(ANSWER).split("\r\n") if line.startswith("a=fmtp:103")]

    assert h264 == "a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f;x-google-start-bitrate=2500"
    assert "a=fmtp:97 apt=96\r\n" in completed(ANSWER)


def test_sound_that_is_lost_is_sent_again():
    assert completed(ANSWER).count("a=rtcp-fb:111 nack\r\n") == 1


def test_an_answer_without_media_stays_as_it_is():
    assert completed("v=0\r\ns=-\r\n") == "v=0\r\ns=-\r\n"
