"""Media over plain HTTP."""

from typing import Any

from flask import Response, request

from signaling import calls, hot
from signaling.calls import ThreadWaiter, api, call, participant, server

OCTETS = "application/octet-stream"


@call(api, "POST", "/chunks", "Send sealed media, and wait for that of others", "participant", carries=OCTETS)
def exchange_chunks() -> Any:
    caller = participant()
    query = request.environ.get("QUERY_STRING", "")
    exchange = request.environ.get("letterbox.exchange")
    if exchange is not None:
        found = exchange.park_on_chunks(server(), caller, query, exchange.body)
        return calls.later if found is None else Response(found, content_type=OCTETS)
    waiter = ThreadWaiter("")
    found = hot.chunks(server(), caller, query, request.get_data(cache=False), waiter)
    return Response(found if found is not None else waiter.wait(), content_type=OCTETS)
