"""What aiortc's answer leaves unsaid, for those who send to us.

Start bitrate: Chromium begins at 300 kbit/s and trusts our REMB only after some seconds; `x-google-start-bitrate` (a parameter of
Chromium's own, in kbit/s; RFC 8866 section 6.15 has others pass it over) lets the first pictures be good ones.
NACK for sound (RFC 4585 section 6.2.1): we ask for lost sound as for lost pictures, and who was told so keeps it for a while.
"""

import re

START_BPS = 2_500_000

_VIDEO = re.compile(r"^a=rtpmap:(\d+) (?:VP8|H264)/90000\r\n", re.MULTILINE)
_OPUS = re.compile(r"^a=rtpmap:(\d+) opus/48000/2\r\n", re.MULTILINE)


def completed(sdp: str) -> str:
    """An answer as aiortc makes it, and what senders should know besides."""
    for found in reversed(list(_VIDEO.finditer(sdp))):
        sdp = _with_parameter(sdp, found, f"x-google-start-bitrate={START_BPS // 1000}")
    return _OPUS.sub(lambda found: f"{found[0]}a=rtcp-fb:{found[1]} nack\r\n", sdp)


def _with_parameter(sdp: str, codec: re.Match[str], parameter: str) -> str:
    """In the fmtp line of this codec in its own section; a payload type may mean another codec in another."""
    section_end = sdp.find("\r\nm=", codec.end())
    section = sdp[codec.end() : section_end if section_end >= 0 else len(sdp)]
    prefix = f"a=fmtp:{codec[1]} "
    if f"\n{prefix}" in f"\n{section}":
        section = re.sub(rf"^({re.escape(prefix)}[^\r]*)", rf"\1;{parameter}", section, count=1, flags=re.MULTILINE)
    else:
        section = f"{prefix}{parameter}\r\n{section}"
    return sdp[: codec.end()] + section + (sdp[section_end:] if section_end >= 0 else "")
