"""The mailbox: the two calls that everything else waits for."""

from typing import Any

from flask import Response, request

from signaling import calls, errors, hot, schemas
from signaling.calls import ThreadWaiter, answer, api, call, participant, server
from signaling.several import Asked, SeveralPolls


@call(api, "POST", "/messages", "Send messages: all of them or none", "participant", schemas.Messages)
def send() -> Any:
    server().bursts.hot.spend(calls.who())
    caller = participant()
    exchange = request.environ.get("letterbox.exchange")
    data = request.get_data(cache=False) if exchange is None else exchange.body
    posting = hot.posting(server(), caller, data)
    if exchange is not None:
        exchange.queue(posting)
        return calls.later
    with server().transaction() as tx:
        outcome = tx.post([posting])[0]
    if isinstance(outcome, errors.Problem):
        raise outcome
    return answer({"n": outcome})


@call(api, "GET", "/mailbox", "Ask for messages; held until there are any", "participant")
def poll() -> Any:
    server().bursts.hot.spend(calls.who())
    caller = participant()
    server().bursts.polls.spend(caller.id)
    settings = server().settings
    after, wait_s, nonce = calls.poll_arguments(settings.wait_s)
    exchange = request.environ.get("letterbox.exchange")
    if exchange is not None:
        found = exchange.park(server().mailboxes, caller.id, after, wait_s, nonce)
        return calls.later if found is None else Response(found, content_type="application/json")
    waiter = ThreadWaiter(nonce)
    found = server().mailboxes.poll(caller.id, after, wait_s, waiter)
    return Response(found if found is not None else waiter.wait(), content_type="application/json")


@call(api, "POST", "/mailboxes", "Ask several mailboxes in one request: the tabs of one browser", "anyone", schemas.Polls)
def poll_several() -> Any:
    server().bursts.hot.spend(calls.who())
    exchange = request.environ.get("letterbox.exchange")
    wish = hot.parse(schemas.Polls, request.get_data(cache=False) if exchange is None else exchange.body)
    waiter = ThreadWaiter("") if exchange is None else exchange
    several = SeveralPolls(server().mailboxes, [_asked(one) for one in wish.polls], waiter)
    if exchange is not None:
        found = exchange.park_on_several(several, wish.wait_s)
        return calls.later if found is None else Response(found, content_type="application/json")
    found = several.poll(wish.wait_s)
    return Response(found if found is not None else waiter.wait(), content_type="application/json")


def _asked(one: schemas.OnePoll) -> Asked:
    try:
        caller = calls.participant(one.token)
        server().bursts.polls.spend(caller.id)
        return Asked(caller.id, one.after, one.nonce)
    except errors.Problem as problem:
        return Asked("", 0, "", problem)
