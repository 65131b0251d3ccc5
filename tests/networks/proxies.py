"""The small servers no package offers, each run as `python -m tests.networks.proxies <which> …` inside a namespace.

dns ADDRESS [silent]: answers for the lab's names, and knows no others; or hears and says nothing.
tls PORT TARGET_PORT CERTIFICATE KEY ADDRESS: ends TLS in front of the house, as a reverse proxy does.
plain PORT TARGET_PORT ADDRESS: the same without TLS.
buffering PORT CERTIFICATE KEY ROAD: a gateway that opens TLS, reads each answer whole, and only then passes it on.
    ROAD: a file that may say, at any time, how narrow the road to it is and how long: {"kbit": 250, "delay_ms": 20}, each way.
"""

import asyncio
import json
import socket
import ssl
import sys
from pathlib import Path

from tests.networks.lab import NAMES

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def dns(address: str, silent: str = "") -> None:
    """RFC 1035, as much as a browser asks: one question, A records."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind((address, 53))
        while True:
            question, client = door.recvfrom(2048)
            if not silent:
                door.sendto(_answer(question), client)


def _answer(question: bytes) -> bytes:
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode("ascii", "replace").lower())
        at += 1 + question[at]
    kind = int.from_bytes(question[at + 1 : at + 3])
    address = NAMES.get(".".join(labels))
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + socket.inet_aton(address) if address and kind == 1 else b""
    flags = b"\x81\x80" if address else b"\x81\x83"
    return question[:2] + flags + b"\x00\x01" + len(record[:1]).to_bytes(2) + bytes(4) + question[12 : at + 5] + record


async def tls(port: str, target: str, certificate: str, key: str, address: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    await _pass_on(port, target, address, context)


async def plain(port: str, target: str, address: str) -> None:
    await _pass_on(port, target, address, None)


async def _pass_on(port: str, target: str, address: str, context: ssl.SSLContext | None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inside = await asyncio.open_connection("127.0.0.1", int(target))
        except OSError:
            writer.close()
            return
        await _join((reader, writer), inside)

    server = await asyncio.start_server(serve, address, int(port), ssl=context)
    await server.serve_forever()


async def _join(one: Streams, other: Streams) -> None:
    """Pass on until either end has ended."""
    pumps = [asyncio.create_task(_pump(one[0], other[1])), asyncio.create_task(_pump(other[0], one[1]))]
    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    for pump in pumps:
        pump.cancel()
    for writer in (one[1], other[1]):
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass


class Way:
    """One direction of a road, shared by all who take it: one byte after the other, and each some time on its way."""

    def __init__(self, road: Path) -> None:
        self._road = road
        self._free_s = 0.0

    async def take(self, size: int) -> None:
        """Returns when so many bytes have come to its end."""
        says = json.loads(self._road.read_text() or "{}") if self._road.exists() else {}
        now_s = asyncio.get_running_loop().time()
        if kbit := says.get("kbit"):
            self._free_s = max(self._free_s, now_s) + size * 8 / (kbit * 1000)
        arrives_s = max(self._free_s, now_s) + says.get("delay_ms", 0) / 1000
        if arrives_s > now_s:
            await asyncio.sleep(arrives_s - now_s)


class Outside:
    """Connections to the servers behind the gateway, kept for the next exchange, as real gateways do."""

    def __init__(self) -> None:
        # To make one of these costs more than all the rest of an exchange.
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
        self._idle: dict[str, list[Streams]] = {}

    async def ask(self, host: str, message: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        """One exchange; again by a new connection where a kept one was closed before it had said anything."""
        idle = self._idle.setdefault(host, [])
        while idle:
            try:
                return await self._exchange(host, idle.pop(), message)
            except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                continue
        opened = await asyncio.open_connection(host, 443, ssl=self._context, server_hostname=host)
        return await self._exchange(host, opened, message)

    async def _exchange(self, host: str, streams: Streams, message: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        reader, writer = streams
        try:
            writer.write(message)
            status, fields = await _head(reader)
            is_empty = status.split(" ")[1] in ("204", "304")
            whole = b"" if is_empty else await _body(reader, fields, until_end=True)
        except BaseException:
            writer.close()
            raise
        named = {name.lower(): value.lower() for name, value in fields}
        ends = is_empty or "content-length" in named or "transfer-encoding" in named
        if ends and named.get("connection") != "close":
            self._idle[host].append(streams)
        else:
            writer.close()
        return status, fields, whole


async def buffering(port: str, certificate: str, key: str, road: str) -> None:
    up, down, outside = Way(Path(road)), Way(Path(road)), Outside()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line, _ = await _head(reader)
            method, target, _ = line.split(" ", 2)
            host, _, number = target.rpartition(":")
            if method != "CONNECT" or number != "443":
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await writer.drain()
            await writer.start_tls(context)
            while True:
                await _one_exchange(reader, writer, host, outside, up, down)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ssl.SSLError, ValueError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "0.0.0.0", int(port))
    await server.serve_forever()


async def _one_exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, outside: Outside, up: Way, down: Way
) -> None:
    """One request of a browser's, and its whole answer."""
    line, fields = await _head(reader)
    sent = await _body(reader, fields)
    await up.take(len(line) + sum(len(name) + len(value) + 4 for name, value in fields) + len(sent))
    status, answered, whole = await outside.ask(host, _message([line, *_kept(fields)], sent))
    passed = _message([status, *_kept(answered)], whole)
    await down.take(len(passed))
    writer.write(passed)
    await writer.drain()


def _kept(fields: list[tuple[str, str]]) -> list[str]:
    """The header without what is about this connection only (RFC 9110 section 7.6.1)."""
    hop = ("connection", "proxy-connection", "content-length", "transfer-encoding")
    return [f"{name}: {value}" for name, value in fields if name.lower() not in hop]


def _message(lines: list[str], body: bytes) -> bytes:
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1") + body


async def _head(reader: asyncio.StreamReader) -> tuple[str, list[tuple[str, str]]]:
    line, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = [one.partition(":") for one in rest if one]
    return line, [(name, value.strip()) for name, _, value in fields]


async def _body(reader: asyncio.StreamReader, fields: list[tuple[str, str]], until_end: bool = False) -> bytes:
    named = {name.lower(): value for name, value in fields}
    if named.get("transfer-encoding") == "chunked":
        found = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            found += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
        return found
    if "content-length" in named:
        return await reader.readexactly(int(named["content-length"]))
    return await reader.read() if until_end else b""


if __name__ == "__main__":
    which, *arguments = sys.argv[1:]
    if which == "dns":
        dns(*arguments)
    else:
        asyncio.run({"tls": tls, "plain": plain, "buffering": buffering}[which](*arguments))
