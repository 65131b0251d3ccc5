"""What a run has seen, as docs/networks.md: written when LETTERBOX_WRITE_NETWORKS=1 says so."""

import os
from dataclasses import dataclass, field
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "networks.md"
HEAD = """# What passes where

Seen in real network namespaces with real parts (Chromium, squid, coturn, nftables, the whole house); this page is written by

```sh
LETTERBOX_WRITE_NETWORKS=1 make test ARGS="tests/networks"     # as root
```

"Connected": from making the peer connection to its being connected, on a busy two-core machine; an order of magnitude.

| network | page and signaling | media | path chosen | connected | recorded |
|---|---|---|---|---|---|
"""
FOOT = """
Where no WebRTC media passes at all the page says so within five seconds and the call goes on over plain HTTP; WebRTC is
tried again and again, and taken when it passes.
The page `/check` asks a network about itself; [deploy/coturn](../deploy/coturn/README.md) sets up the relay most of these need.
"""


@dataclass
class Seen:
    """One row a network, in the order in which they ran."""

    rows: list[tuple[str, ...]] = field(default_factory=list)

    def note(self, network: str, signaling: str, media: str, path: str, connected_s: float | None, recorded: str) -> None:
        took = "–" if connected_s is None else f"{connected_s:.1f} s"
        self.rows.append((network, signaling, media, path, took, recorded))

    def write(self) -> None:
        if os.environ.get("LETTERBOX_WRITE_NETWORKS") and self.rows:
            PAGE.write_text(HEAD + "".join(f"| {' | '.join(row)} |\n" for row in self.rows) + FOOT)
