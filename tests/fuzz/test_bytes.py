"""Bytes that are no request, two requests, or one that two servers would read differently, at the socket of a real worker."""

import re
import socket

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from people import Gunicorn, Person

from tests.fuzz.stage import UNLIMITED

# What gunicorn answers to a transfer coding it does not know, and to another version of HTTP (RFC 9110 section 15.6).
HONEST_5XX = {501, 505}
BODILESS = {204, 304}
bounded = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)


@pytest.fixture
def server(sqlite, serve) -> Gunicorn:
    return serve(sqlite.settings(**UNLIMITED))


@pytest.fixture
def alice_and_bob(server) -> tuple[Person, Person]:
    room, _ = server.room()
    return server.join(room, "Alice"), server.join(room, "Bob")


def asked(server: Gunicorn, data: bytes) -> bytes:
    """All that comes back until the server closes: nothing more is sent."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        found = bytearray()
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(65536):
                found += more
        except ConnectionError:
            pass
        return bytes(found)


def statuses(answer: bytes) -> list[int]:
    """Of the answers one after the other; what follows must be an answer, too."""
    found = []
    while answer:
        head = re.match(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n((?:[!-9;-~]+:[^\r\n]*\r\n)*)\r\n", answer)
        assert head is not None, f"no answer: {answer[:200]!r}"
        found.append(int(head[1]))
        length = re.search(rb"content-length: *(\d+)", head[2], re.IGNORECASE)
        answer = answer[head.end() + (int(length[1]) if length and found[-1] not in BODILESS else 0) :]
    return found


def harmless(found: list[int]) -> bool:
    return all(status < 500 or status in HONEST_5XX for status in found)


# -- anything ------------------------------------------------------------------------------------------------------------------

lines = st.sampled_from(
    [b"GET /api/v1/mailbox?after=0&wait_s=0&nonce=n HTTP/1.1", b"POST /api/v1/messages HTTP/1.1", b"POST /api/v1/rooms HTTP/1.1",
     b"POST /api/v1/chunks?nonce=n HTTP/1.1", b"GET /healthz HTTP/1.0", b"GET /api/v1/mailbox HTTP/2.0", b"PRI * HTTP/2.0",
     b"GET http://evil.example/api/v1/mailbox HTTP/1.1", b"POST /api/v1/../../etc/passwd HTTP/1.1", b"\x00\x00", b"GET",
     b"OPTIONS * HTTP/1.1", b"CONNECT a:1 HTTP/1.1", b"GET /r/%00%0d%0aX-Injected:1 HTTP/1.1", b"GET /?\xff\xfe HTTP/1.1"]
)  # fmt: skip
headers = st.sampled_from(
    [b"Host: x", b"Host:", b"Host: a\x00b", b"Content-Length: 5", b"Content-Length: +5", b"Content-Length: 5, 5",
     b"Content-Length: 99999999999999999999", b"Content-Length: -1", b"Content-Length: 0x5", b"Transfer-Encoding: chunked",
     b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding : chunked",
     b"Transfer-Encoding:\x0bchunked", b" folded: x", b": no name", b"no colon", b"X: " + b"a" * 9000, b"Expect: 100-continue",
     b"Expect: nonsense", b"Connection: close", b"Connection: upgrade", b"Upgrade: h2c", b"Origin: https://x\x01",
     b"X-Forwarded-For: 1.2.3.4\x00", b"Range: bytes=0-0,-1,99-1", b"Cookie: lang=\xff", b"Accept-Language: \xff;q=x",
     b"Authorization: Bearer \xff\xfe", b"Authorization: Basic eDp5", b"If-None-Match: \"", b"Content-Encoding: gzip"]
)  # fmt: skip
bodies = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhel", b"-5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n",
         b"5;" + b"e" * 5000 + b"\r\nhello\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\nx", b"5 \r\nhello\r\n0\r\n\r\n",
         b"0\r\nX: y\r\n\r\n", b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"{}", b"[" * 30]
    ),
)  # fmt: skip
ends = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\r\n"])


@st.composite
def rubbish(draw: st.DrawFn) -> bytes:
    end = draw(ends)
    head = [draw(lines), *draw(st.lists(headers, max_size=5))]
    return end.join(head) + end + end + draw(bodies)


@bounded
@given(data=st.lists(rubbish(), min_size=1, max_size=3).map(b"".join))
def test_no_bytes_make_the_server_fail_or_say_what_is_no_answer(server, alice_and_bob, data):
    alice, bob = alice_and_bob

    answer = asked(server, data)

    assert harmless(statuses(answer))
    assert not re.search(rb"(?im)^x-injected", answer)
    assert alice.say(bob).status == 200


# -- a request in another's body -------------------------------------------------------------------------------------------------


def smuggled(alice: Person, bob: Person) -> bytes:
    body = b'{"messages":[{"n":%d,"to":"%s","kind":"smuggled","body":{}}]}' % (alice.n + 1, bob.id.encode())
    head = ["POST /api/v1/messages HTTP/1.1", "Host: x", f"Authorization: Bearer {alice.token}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body


# Framings that say two things, so that one of two servers in a row takes for a request what the other takes for a body.
AMBIGUOUS = (
    (b"Content-Length: %(all)d", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding: chunked", b"Content-Length: %(all)d"),
    (b"Content-Length: 0", b"Content-Length: %(all)d"),
    (b"Content-Length: %(all)d", b"Content-Length: 0"),
    (b"Content-Length: 0, %(all)d",),
    (b"Content-Length: %(all)d", b"Transfer-Encoding: xchunked"),
    (b"Content-Length: %(all)d", b"Transfer-Encoding : chunked"),
    (b"Content-Length: %(all)d", b"Transfer-Encoding:\x0bchunked"),
    (b"Content-Length: %(all)d", b"X: y\nTransfer-Encoding: chunked"),
    (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    (b"Transfer-Encoding: identity", b"Content-Length: %(all)d"),
)


@bounded
@given(
    path=st.sampled_from([b"messages", b"chunks?nonce=n", b"rooms", b"leave", b"recorders", b"mailboxes"]),
    framing=st.sampled_from(AMBIGUOUS),
    before=st.sampled_from([b"", b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"\r\n"]),
)
@example(path=b"messages", framing=AMBIGUOUS[0], before=b"0\r\n\r\n")
@example(path=b"chunks?nonce=n", framing=AMBIGUOUS[1], before=b"0\r\n\r\n")
def test_a_request_hidden_in_the_body_of_another_is_never_taken_for_one(server, alice_and_bob, path, framing, before):
    alice, bob = alice_and_bob
    body = before + smuggled(alice, bob)
    lines = b"\r\n".join(framing) % {b"all": len(body)}

    answer = asked(server, b"POST /api/v1/" + path + b" HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n\r\n" + body)

    found = statuses(answer)
    assert len(found) <= 1
    assert harmless(found)
    assert not [message for message in bob.hear() if message["kind"] == "smuggled"]
