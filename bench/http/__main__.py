"""`make bench-http`: calls over plain HTTP: what the server pays, and what two people at real browsers get (as root).

--calls N     calls at the same time, of the server's part (6)
--kbit N      what each of the two sends in it (400)
--seconds S   how long it is measured (10)
--watch S     how long the browsers are watched at each round trip (60); 0: not at all
"""

import argparse
import json

from bench.http import browsers, relay


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.http", description="Media over plain HTTP.")
    parser.add_argument("--calls", type=int, default=6, help="calls at the same time")
    parser.add_argument("--kbit", type=int, default=400, help="what each of the two sends")
    parser.add_argument("--seconds", type=float, default=10, help="how long is measured")
    parser.add_argument("--watch", type=float, default=60, help="how long the browsers are watched at each round trip; 0: not")
    asked = parser.parse_args()
    found = relay.run(asked.calls, asked.kbit, asked.seconds) if asked.calls else {}
    if asked.watch:
        found |= browsers.run(seconds=asked.watch)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
