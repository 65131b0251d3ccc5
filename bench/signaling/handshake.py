"""What two browsers say to each other before they see each other, in size and shape as Chromium says it."""

import json

HOST = "candidate:{n} 1 udp 2122260223 192.168.1.{n} 5{n:04d} typ host generation 0 ufrag 4ZcD network-id {n} network-cost 10"
RELAY = (
    "candidate:{n} 1 udp 41885439 203.0.113.7 6{n:04d} typ relay raddr 198.51.100.{n} rport 5{n:04d}"
    " generation 0 ufrag 4ZcD network-id {n} network-cost 10"
)
CANDIDATES = [HOST.format(n=n) for n in range(1, 6)] + [RELAY.format(n=n) for n in range(6, 11)]

_MEDIA = """m={kind} 9 UDP/TLS/RTP/SAVPF {types}
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:4ZcD
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlkh
a=ice-options:trickle
a=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2
a=setup:actpass
a=mid:{mid}
a=extmap:4 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=sendrecv
a=msid:Lw1lXwVd 8f5b0a6e-4f5c-4a1b-9a6e-{mid}
a=rtcp-mux
"""
_CODECS = {
    "audio": "".join(
        f"a=rtpmap:{n} {name}\na=rtcp-fb:{n} transport-cc\na=fmtp:{n} minptime=10;useinbandfec=1\n"
        for n, name in ((111, "opus/48000/2"), (63, "red/48000/2"), (9, "G722/8000"))
    ),
    "video": "".join(
        f"a=rtpmap:{n} {name}/90000\na=rtcp-fb:{n} goog-remb\na=rtcp-fb:{n} transport-cc\na=rtcp-fb:{n} ccm fir\n"
        f"a=rtcp-fb:{n} nack\na=rtcp-fb:{n} nack pli\n"
        for n, name in ((96, "VP8"), (98, "VP9"), (102, "H264"), (45, "AV1"))
    ),
}


def _sdp(bytes_long: int) -> str:
    """A session description of about this length, cut between lines."""
    lines = ["v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1"]
    for mid, kind in enumerate(("audio", "video")):
        lines += (_MEDIA.format(kind=kind, types="96 98 102 45", mid=mid) + _CODECS[kind]).splitlines()
    text = ""
    for line in lines:
        if len(text) + len(line) + 2 > bytes_long:
            break
        text += line + "\r\n"
    return text


def _rest(body: dict[str, object]) -> bytes:
    """A body without its opening brace: the load's number comes first."""
    return json.dumps(body, separators=(",", ":")).encode()[1:]


def _candidates(numbers: list[str]) -> tuple[str, bytes]:
    shown = [{"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "4ZcD"} for text in numbers]
    return "candidate", _rest({"candidates": shown})


def _description(kind: str, bytes_long: int) -> tuple[str, bytes]:
    return kind, _rest({"type": kind, "sdp": _sdp(bytes_long), "sources": {"0": "microphone", "1": "camera"}})


_BATCHES = (_candidates(CANDIDATES[:4]), _candidates(CANDIDATES[4:7]), _candidates(CANDIDATES[7:]))
# (kind, body after the number) in the order one side says them, each as soon as the one before it was accepted.
OFFER = (_description("offer", 2_500), *_BATCHES)
ANSWER = (_description("answer", 2_000), *_BATCHES)
