"""`make bench-http`: calls over plain HTTP.

--calls N     calls at the same time (6)
--kbit N      what each of the two sends (400)
--seconds S   how long is measured (10)
"""

import argparse
import json

from bench.http import relay


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.http", description="Media over plain HTTP.")
    parser.add_argument("--calls", type=int, default=6, help="calls at the same time")
    parser.add_argument("--kbit", type=int, default=400, help="what each of the two sends")
    parser.add_argument("--seconds", type=float, default=10, help="how long is measured")
    asked = parser.parse_args()
    print(json.dumps(relay.run(asked.calls, asked.kbit, asked.seconds)))


if __name__ == "__main__":
    main()
