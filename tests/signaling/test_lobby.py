"""What a host may do with people: the lock, the code, the lobby, asking, removing, handing over."""

from typing import Any

from people import RECORDER_KEY, Cast, Person, Reply


def settings(cast: Cast, **wish: Any) -> Reply:
    changed = cast.door.post(f"rooms/{cast.room}/settings", wish, cast.alice.token)
    assert changed.status == 200, changed
    return changed


def enters(cast: Cast, name: str = "Cleo", **more: Any) -> Reply:
    return cast.door.post(f"rooms/{cast.room}/participants", {"name": name} | more)


def knocks(cast: Cast, name: str = "Cleo") -> Person:
    answer = enters(cast, name)
    assert answer.status == 202, answer
    return Person(cast.door, answer)


def lets(cast: Cast, who: str, answer: str, token: str | None = None) -> Reply:
    return cast.door.post(f"rooms/{cast.room}/lobby", {"participant": who, "answer": answer}, token or cast.alice.token)


def does(cast: Cast, who: str, what: str, wish: dict[str, Any] | None = None, token: str | None = None) -> Reply:
    return cast.door.post(f"rooms/{cast.room}/participants/{who}/{what}", wish or {}, token or cast.alice.token)


def told(person: Person, *wanted: str) -> list[tuple[str, Any]]:
    return [(kind, body) for kind, body in person.is_told() if kind in wanted]


def names(reply: Any) -> list[str]:
    return [one["name"] for one in reply["participants"]]


def test_who_knocks_waits_unseen_and_the_host_alone_hears_of_it(cast: Cast) -> None:
    settings(cast, lobby=True)

    cleo = knocks(cast)

    assert cleo.joined["waiting"] is True
    assert not {"participants", "ice_servers", "recording"} & set(cleo.joined.json)
    assert told(cast.alice, "knock") == [("knock", {"participant": {"id": cleo.id, "name": "Cleo"}})]
    assert told(cast.bob, "knock", "joined") == []
    assert cast.door.get(f"rooms/{cast.room}")["participants"] == 2
    assert cleo.is_told() == []


def test_who_waits_can_reach_nobody_and_nobody_them(cast: Cast) -> None:
    settings(cast, lobby=True)
    cleo = knocks(cast)
    cast.bob.hear()

    for to in (cast.bob.id, "*"):
        refused = cleo.send([{"n": 1, "to": to, "kind": "chat", "body": {}}])
        assert (refused.status, refused["type"]) == (403, "/problems/still-waiting")
    assert cast.bob.send([{"n": 1, "to": "*", "kind": "chat", "body": {}}]).status == 200
    assert cast.bob.send([{"n": 2, "to": cleo.id, "kind": "chat", "body": {}}]).status == 404
    assert cast.door.get("ice-servers", cleo.token).status == 410
    assert cast.door.post(f"rooms/{cast.room}/recording", {"action": "start"}, cleo.token).status in (403, 410)
    assert cleo.is_told() == []
    assert told(cast.bob, "chat") == []


def test_who_is_admitted_gets_all_that_joining_would_have_given_and_the_others_meet_them(cast: Cast) -> None:
    settings(cast, lobby=True)
    cleo = knocks(cast)

    assert lets(cast, cleo.id, "admit").status == 200

    ((_, welcome),) = told(cleo, "admitted")
    as_joined = cast.door.post(f"rooms/{cast.room}/participants", {"name": "Dan", "host_key": cast.host_key}).json
    assert set(as_joined) - set(welcome) == {"token", "room", "wait_s", "after", "waiting"}
    assert names(welcome) == ["Alice", "Bob"]
    assert [body["participant"]["name"] for _, body in told(cast.bob, "joined")] == ["Cleo", "Dan"]
    assert cleo.send([{"n": 1, "to": cast.bob.id, "kind": "chat", "body": {"text": "hello"}}]).status == 200
    assert told(cast.bob, "chat") == [("chat", {"text": "hello"})]


def test_who_is_denied_hears_it_and_is_out(cast: Cast) -> None:
    settings(cast, lobby=True)
    cleo = knocks(cast)
    cast.alice.hear()

    assert lets(cast, cleo.id, "deny").status == 200

    gone = ("left", {"participant": cleo.id, "reason": "denied"})
    assert told(cleo, "left") == [gone]
    assert told(cast.alice, "left") == [gone]
    assert told(cast.bob, "left") == []
    assert cleo.send([{"n": 1, "to": "*", "kind": "chat", "body": {}}]).status == 410
    assert lets(cast, cleo.id, "admit").status == 404


def test_who_tires_of_waiting_is_taken_off_the_host_s_list(cast: Cast) -> None:
    settings(cast, lobby=True)
    cleo = knocks(cast)
    cast.alice.hear()

    cast.door.post("leave", {}, cleo.token)

    assert told(cast.alice, "left") == [("left", {"participant": cleo.id, "reason": "left"})]
    assert told(cast.bob, "left") == []
    assert lets(cast, cleo.id, "admit").status == 404


def test_the_host_key_opens_the_lobby_and_a_host_who_comes_sees_who_waits(cast: Cast) -> None:
    settings(cast, lobby=True)
    cleo = knocks(cast)

    second = enters(cast, "Dora", host_key=cast.host_key)

    assert second.status == 201
    assert second["waiting"] == [{"id": cleo.id, "name": "Cleo"}]
    assert "waiting" not in cast.bob.joined.json


def test_a_lobby_that_is_switched_off_lets_in_who_waits(cast: Cast) -> None:
    settings(cast, lobby=True)
    cleo, dan = knocks(cast), knocks(cast, "Dan")

    settings(cast, lobby=False)

    assert [kind for kind, _ in told(cleo, "admitted", "joined")] == ["admitted", "joined"]
    assert names(told(dan, "admitted")[0][1]) == ["Alice", "Bob", "Cleo"]


def test_only_a_host_of_this_room_lets_in(cast: Cast) -> None:
    settings(cast, lobby=True)
    cleo = knocks(cast)

    for token in (cast.bob.token, cast.charlie.token, cleo.token):
        assert lets(cast, cleo.id, "admit", token).status in (403, 410)
    assert lets(cast, cast.bob.id, "admit").status == 404
    assert lets(cast, cleo.id, "perhaps").status == 422


def test_a_full_room_admits_nobody_more_and_a_lobby_has_an_end(databases, open_house) -> None:
    cast = Cast(open_house(databases.settings(max_participants=2)))
    settings(cast, lobby=True)
    cleo = knocks(cast)
    knocks(cast, "Dan")

    assert enters(cast, "Eve").status == 409
    assert lets(cast, cleo.id, "admit").status == 409
    cast.door.post("leave", {}, cast.bob.token)
    assert lets(cast, cleo.id, "admit").status == 200


def test_a_locked_room_lets_in_only_the_host(cast: Cast) -> None:
    settings(cast, locked=True)

    refused = enters(cast)

    assert (refused.status, refused["type"]) == (403, "/problems/room-locked")
    assert enters(cast, "Dora", host_key=cast.host_key).status == 201
    assert cast.bob.ask().status == 200


def test_a_room_with_a_code_asks_for_it_and_tells_it_to_nobody(cast: Cast) -> None:
    changed = settings(cast, code="sesame")

    assert changed["settings"]["has_code"] is True
    assert "sesame" not in str(changed.json)
    assert "hash" not in str(changed.json)
    assert cast.door.get(f"rooms/{cast.room}")["has_code"] is True
    assert enters(cast)["type"] == "/problems/code-needed"
    assert enters(cast, code="open")["type"] == "/problems/wrong-code"
    assert enters(cast, code="sesame").status == 201
    settings(cast, code=None)
    assert enters(cast, "Dan").status == 201
    for bad in ("abc", "x" * 33, "a\nbcd", 5):
        assert cast.door.post(f"rooms/{cast.room}/settings", {"code": bad}, cast.alice.token).status == 422


def test_who_tries_many_codes_is_kept_out_though_one_is_right(databases, open_house) -> None:
    cast = Cast(open_house(databases.settings(codes_per_address="3/hour")))
    settings(cast, code="sesame")
    for guess in ("aaaa", "bbbb", "cccc"):
        assert enters(cast, code=guess).status == 403

    locked_out = enters(cast, code="sesame")

    assert locked_out.status == 429
    assert int(locked_out.headers["Retry-After"]) > 0
    assert enters(cast, host_key=cast.host_key).status == 201


def test_who_is_removed_hears_it_and_can_reach_nobody_any_more(cast: Cast) -> None:
    assert does(cast, cast.bob.id, "remove").status == 200

    gone = ("left", {"participant": cast.bob.id, "reason": "removed"})
    assert told(cast.bob, "left") == [gone]
    assert told(cast.alice, "left") == [gone]
    assert cast.bob.send([{"n": 1, "to": "*", "kind": "chat", "body": {}}]).status == 410
    assert cast.door.get("ice-servers", cast.bob.token).status == 410
    assert cast.door.get(f"rooms/{cast.room}")["participants"] == 1
    assert cast.alice.send([{"n": 1, "to": cast.bob.id, "kind": "chat", "body": {}}]).status == 200
    assert told(cast.alice, "undelivered") != []
    assert does(cast, cast.bob.id, "remove").status == 404


def test_a_request_of_the_host_reaches_only_whom_it_is_for(cast: Cast) -> None:
    assert does(cast, cast.bob.id, "ask", {"what": "mute"}).status == 200

    assert told(cast.bob, "asked") == [("asked", {"what": "mute", "by": "Alice"})]
    assert told(cast.alice, "asked") == []
    assert does(cast, cast.bob.id, "ask", {"what": "sing"}).status == 422
    for token in (cast.bob.token, cast.charlie.token):
        assert does(cast, cast.alice.id, "ask", {"what": "mute"}, token).status == 403
    for nobody in (cast.charlie.id, "p-nobody"):
        assert does(cast, nobody, "ask", {"what": "mute"}).status == 404


def test_a_host_hands_over_and_is_a_guest_from_then_on(cast: Cast) -> None:
    assert does(cast, cast.alice.id, "role", {"role": "guest"})["type"] == "/problems/last-host"

    assert does(cast, cast.bob.id, "role", {"role": "host"}).status == 200
    assert does(cast, cast.alice.id, "role", {"role": "guest"}, cast.bob.token).status == 200

    assert told(cast.alice, "role") == [
        ("role", {"participant": cast.bob.id, "role": "host"}), ("role", {"participant": cast.alice.id, "role": "guest"}),
    ]  # fmt: skip
    assert cast.door.post(f"rooms/{cast.room}/settings", {"locked": True}, cast.alice.token).status == 403
    assert cast.host("start").status == 403
    assert cast.door.post(f"rooms/{cast.room}/settings", {"lobby": True}, cast.bob.token).status == 200
    cleo = knocks(cast)
    assert told(cast.bob, "knock") == [("knock", {"participant": {"id": cleo.id, "name": "Cleo"}})]


def test_a_new_host_hears_who_waited_already(cast: Cast) -> None:
    settings(cast, lobby=True)
    cleo = knocks(cast)

    does(cast, cast.bob.id, "role", {"role": "host"})

    assert told(cast.bob, "knock") == [("knock", {"participant": {"id": cleo.id, "name": "Cleo"}})]


def test_a_recorder_never_waits(cast: Cast) -> None:
    settings(cast, lobby=True, locked=True, code="sesame")
    _, recording, _ = cast.record()

    entered = cast.door.post(
        f"rooms/{cast.room}/participants", {"name": "Rec", "kind": "recorder", "recording": recording}, RECORDER_KEY
    )
    assert entered.status == 201, entered


def test_a_closed_room_says_so_to_who_waits(cast: Cast) -> None:
    settings(cast, lobby=True)
    cleo = knocks(cast)

    cast.door.post(f"rooms/{cast.room}/close", {}, cast.alice.token)

    assert told(cleo, "left") == [("left", {"participant": cleo.id, "reason": "closed"})]


def test_a_reload_needs_no_second_knock_and_keeps_the_role(cast: Cast) -> None:
    settings(cast, lobby=True, locked=True, code="sesame")
    does(cast, cast.bob.id, "role", {"role": "host"})
    cast.door.post("leave", {}, cast.bob.token)

    back = enters(cast, "Bob", again=cast.bob.token)

    assert (back.status, back["participant"]["role"]) == (201, "host")


def test_no_other_token_is_a_way_in(cast: Cast) -> None:
    settings(cast, lobby=True)
    cleo = knocks(cast)
    does(cast, cast.bob.id, "remove")

    for token in (cleo.token, cast.bob.token, cast.charlie.token, "pt_none", ""):
        assert enters(cast, again=token).status == 202, token
