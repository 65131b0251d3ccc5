"""STUN and TURN, tried for real: a binding, an allocation for each URL, data from relay to relay, a door that must be shut."""

import asyncio
import ssl
import time
from collections.abc import Awaitable
from typing import Any
from urllib.parse import parse_qs

from aioice import stun, turn

from doctor.finding import Finding, failed, ok, warning
from signaling.config import Settings
from signaling.turn import credentials

LIMIT_S = 5.0
NEEDED = "People behind strict proxies get no media without a relay"
SET_UP = "Set up coturn with deploy/coturn/turnserver.conf, and LETTERBOX_TURN_URLS and LETTERBOX_TURN_SECRET."


def parse(url: str) -> tuple[str, str, int, str]:
    """(scheme, host, port, transport) of a STUN or TURN URL (RFC 7064, RFC 7065)."""
    scheme, rest = url.split(":", 1)
    address, _, query = rest.partition("?")
    usual = 5349 if scheme in ("stuns", "turns") else 3478
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = address.partition(":")
    transport = parse_qs(query).get("transport", ["tcp" if scheme == "turns" else "udp"])[0]
    return scheme, host, int(port or usual), transport


async def relays(settings: Settings) -> list[Finding]:
    found = [await _stun(url) for url in settings.stun_urls]
    if not settings.turn_urls:
        return [*found, warning("TURN", f"No TURN server is configured. {NEEDED}.", SET_UP)]
    tried = await asyncio.gather(*(_allocation(settings, url) for url in settings.turn_urls))
    found += tried
    good = [url for url, one in zip(settings.turn_urls, tried, strict=True) if one.state == "ok"]
    if good:
        found += [await _between(settings, good[0]), await _open_relay(settings, good[0])]
    return [*found, _on_443(settings)]


def _on_443(settings: Settings) -> Finding:
    about = "TURN on 443"
    there = {scheme for scheme, _, port, transport in map(parse, settings.turn_urls) if port == 443 and transport == "tcp"}
    if there == {"turn", "turns"}:
        return ok(about, "TLS and plain TURN are offered on 443, where proxies let through.")
    lacking = " and ".join(sorted({"turn", "turns"} - there))
    return warning(
        about, f"{lacking} on 443 over TCP is not among LETTERBOX_TURN_URLS. {NEEDED} there.",
        "Add turns:HOST:443?transport=tcp and turn:HOST:443?transport=tcp; some interceptors pass only the second.",
    )  # fmt: skip


async def _timed(about: str, trying: Awaitable[Finding]) -> Finding:
    began = time.monotonic()
    try:
        found = await asyncio.wait_for(trying, LIMIT_S)
    except TimeoutError:
        found = failed(about, "Nothing answered within 5 s.", "Check that it runs, its address, and the firewall for this port.")
    except ssl.SSLCertVerificationError as error:
        found = failed(about, f"Its certificate is not accepted: {error.verify_message}.", "Renew coturn's cert and pkey.")
    except OSError as error:
        found = failed(about, f"It cannot be reached: {error}.", "Check the name, that it runs, and the firewall for this port.")
    return Finding(found.about, found.state, found.says, found.mend, int((time.monotonic() - began) * 1000))


# -- STUN ------------------------------------------------------------------------------------------------------------------------


class _Asking(asyncio.DatagramProtocol):
    """One binding request (RFC 8489)."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[stun.Message] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes | str, addr: Any) -> None:  # noqa: ARG002 - asyncio's
        try:
            message = stun.parse_message(data if isinstance(data, bytes) else data.encode())
        except ValueError:
            return
        if not self.answered.done():
            self.answered.set_result(message)


async def _stun(url: str) -> Finding:
    _, host, port, _ = parse(url)

    async def ask() -> Finding:
        loop = asyncio.get_running_loop()
        transport, asking = await loop.create_datagram_endpoint(_Asking, remote_addr=(host, port))
        try:
            request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
            transport.sendto(bytes(request))
            answer = await asking.answered
        finally:
            transport.close()
        return ok(url, f"It sees this machine as {answer.attributes['XOR-MAPPED-ADDRESS'][0]}.")

    return await _timed(url, ask())


# -- TURN ------------------------------------------------------------------------------------------------------------------------


class _Heard(asyncio.DatagramProtocol):
    """What comes through an allocation."""

    def __init__(self) -> None:
        self.data: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes | str, addr: Any) -> None:  # noqa: ARG002 - asyncio's
        if not self.data.done():
            self.data.set_result(data if isinstance(data, bytes) else data.encode())


async def _allocate(settings: Settings, url: str) -> tuple[Any, _Heard]:
    """A real allocation with credentials as browsers get them. The transport is aioice's TurnTransport."""
    scheme, host, port, transport = parse(url)
    username, password = credentials(settings.turn_secret, "doctor", int(time.time()) + 600)
    made, heard = await turn.create_turn_endpoint(
        _Heard, server_addr=(host, port), username=username, password=password, ssl=scheme == "turns", transport=transport
    )
    return made, heard


async def _allocation(settings: Settings, url: str) -> Finding:
    async def allocate() -> Finding:
        try:
            transport, _ = await _allocate(settings, url)
        except stun.TransactionFailed as error:
            return _refused(url, error.response.error_code or 0)
        except stun.TransactionTimeout:
            raise TimeoutError from None
        relayed = transport.get_extra_info("sockname")
        await _give_up(transport)
        return ok(url, f"It relays, from {relayed[0]}.")

    return await _timed(url, allocate())


def _refused(url: str, code: int) -> Finding:
    match code:
        case 401:
            return failed(
                url, "It does not accept our credentials.",
                "LETTERBOX_TURN_SECRET must be coturn's static-auth-secret (with use-auth-secret), and the clocks must agree.",
            )  # fmt: skip
        case 486 | 508:
            return failed(url, f"It has no room for another ({code}).", "Raise user-quota, total-quota or its port range.")
        case _:
            return failed(url, f"It refuses an allocation ({code}).", "See coturn's log.")


async def _give_up(transport: Any) -> None:
    """End an allocation, so that the next check finds its quota whole."""
    transport.close()
    await asyncio.sleep(0)


async def _between(settings: Settings, url: str) -> Finding:
    """Two people who both need the relay meet on it."""
    about = "relay to relay"

    async def meet() -> Finding:
        (one, _), (other, heard) = await asyncio.gather(_allocate(settings, url), _allocate(settings, url))
        try:
            await _open_to(other, one.get_extra_info("sockname"))
            await _open_to(one, other.get_extra_info("sockname"), b"from relay to relay")
            await heard.data
        except stun.TransactionFailed as error:
            return failed(
                about, f"The relay does not let its own address be reached ({error.response.error_code}): two people behind"
                " proxies cannot meet.", "Add allowed-peer-ip=<its relay address> to coturn's configuration.",
            )  # fmt: skip
        finally:
            await _give_up(one)
            await _give_up(other)
        return ok(about, "Two people who both need the relay meet on it.")

    return await _timed(about, meet())


async def _open_relay(settings: Settings, url: str) -> Finding:
    """A stranger must not reach this machine's own network through the relay."""
    about = "closed to inner networks"

    async def knock() -> Finding:
        transport, _ = await _allocate(settings, url)
        open_to = []
        try:
            for address in ("127.0.0.1", "10.0.0.1", "192.168.0.1", "169.254.169.254"):
                try:
                    await _open_to(transport, (address, 80))
                    open_to.append(address)
                except stun.TransactionFailed:
                    continue
        finally:
            await _give_up(transport)
        if open_to:
            return failed(
                about, f"Anybody in a call can reach {', '.join(open_to)} through the relay.",
                "Deny private and loopback peers: see denied-peer-ip in deploy/coturn/turnserver.conf.",
            )  # fmt: skip
        return ok(about, "Private and loopback addresses are refused.")

    return await _timed(about, knock())


async def _open_to(transport: Any, address: tuple[str, int], data: bytes = b"x") -> None:
    """Bind a channel to a peer and send; unlike aioice's own sendto this says when it is refused. Raises TransactionFailed."""
    await transport._TurnTransport__inner_protocol.send_data(data, address)

