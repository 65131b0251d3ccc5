"""From RTP packets to encoded frames, without decoding anything. Pure: no sockets, no clock, no aiortc."""
