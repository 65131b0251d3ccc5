"""Which STUN and TURN servers the recorder uses for the next connection."""

import asyncio

from recorder.ice import DEAD_S, IceServers, relays

STUN = {"urls": ["stun:s.test:3478"]}
TURN = {
    "urls": ["turns:t.test:443?transport=tcp", "turn:t.test:443?transport=tcp", "turn:t.test:3478"],
    "username": "9:rec", "credential": "old",
}  # fmt: skip


class World:
    """A server that gives new credentials each time it is asked; time goes by hand."""

    def __init__(self, servers, lasts_s=None) -> None:
        self.now_s, self.asked, self.away = 0.0, 0, False
        self.ice = IceServers({"ice_servers": servers, "ice_lasts_s": lasts_s}, self.renew, lambda: self.now_s)

    async def renew(self):
        self.asked += 1
        if self.away:
            raise ConnectionError
        return {"ice_servers": [TURN | {"credential": f"new {self.asked}"}], "ice_lasts_s": 100}


def test_without_any_no_third_party_is_asked():
    assert relays([]) == []


def test_udp_is_preferred_and_only_one_relay_is_given():
    world = World([STUN, TURN])

    stun, turn = asyncio.run(world.ice.now())

    assert stun.urls == ["stun:s.test:3478"]
    assert (turn.urls, turn.username, turn.credential) == (["turn:t.test:3478"], "9:rec", "old")


def test_a_relay_that_gave_no_candidate_is_left_alone_for_a_while_and_another_tried():
    world = World([TURN])
    asyncio.run(world.ice.now())
    world.ice.gathered("a=candidate:1 1 udp 1 192.0.2.1 5000 typ host")

    [second] = asyncio.run(world.ice.now())
    assert second.urls == ["turn:t.test:443?transport=tcp"]
    world.ice.gathered("a=candidate:1 1 udp 1 192.0.2.1 5000 typ relay raddr 0.0.0.0 rport 9")
    world.now_s = DEAD_S

    assert (asyncio.run(world.ice.now()))[0].urls == ["turn:t.test:3478"]


def test_when_all_are_dead_the_recorder_goes_by_its_own_address():
    world = World([{"urls": "turn:t.test:3478"}])
    asyncio.run(world.ice.now())
    world.ice.gathered("")

    assert asyncio.run(world.ice.now()) == []


def test_credentials_are_renewed_before_they_lapse():
    world = World([TURN], lasts_s=100)
    world.now_s = 74
    assert (asyncio.run(world.ice.now()))[0].credential == "old"
    world.now_s = 75

    assert (asyncio.run(world.ice.now()))[0].credential == "new 1"


def test_old_credentials_are_better_than_none():
    world = World([TURN], lasts_s=100)
    world.now_s, world.away = 80, True

    assert (asyncio.run(world.ice.now()))[0].credential == "old"
