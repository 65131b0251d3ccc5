"""Our own gunicorn worker, byte by byte: what it reads itself it reads as gunicorn does, the rest it hands on."""

import contextlib
import json
import re
import shutil
import socket
from collections.abc import Iterator

import httpx
import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from signaling.worker import INCOMPLETE, HotRequest, end_of_chunks, read_hot
from tests.conftest import make_settings
from tests.people import RECORDER_KEY, Gunicorn, eventually

PARKING = {"LETTERBOX_WORKER_CLASS": "signaling.worker.ParkingWorker"}

# -- reading ---------------------------------------------------------------------------------------------------------------------

names = st.sampled_from(
    ["Host", "Authorization", "Content-Type", "Content-Length", "Connection", "Cookie", "X-Forwarded-For",
     "Transfer-Encoding", "Expect", "Upgrade", "content-length", "Accept", "X_Odd", "Host ", ""]
)  # fmt: skip
values = st.one_of(
    st.sampled_from(
        ["x", "0", "3", "7", "+3", "3 ", "keep-alive", "close", "chunked", "100-continue", "Bearer pt_x", "a\tb", "\x00", "é"]
    ),
    st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=12),
)
lines = st.sampled_from(
    ["GET /api/v1/mailbox?after=0&wait_s=25&nonce=a HTTP/1.1", "GET /api/v1/mailbox HTTP/1.1", "POST /api/v1/messages HTTP/1.1",
     "POST /api/v1/messages HTTP/1.0", "GET /api/v1/mailbox?after=%00 HTTP/1.1", "GET //api/v1/mailbox HTTP/1.1",
     "GET /api/v1/mailbox#x HTTP/1.1", "get /api/v1/mailbox HTTP/1.1", "GET /api/v1/mailbox  HTTP/1.1",
     "POST /api/v1/rooms HTTP/1.1"]
)  # fmt: skip
ends = st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n "])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    head = draw(lines) + draw(ends)
    for _ in range(draw(st.integers(0, 5))):
        head += f"{draw(names)}{draw(st.sampled_from([': ', ':', ' : ']))}{draw(values)}{draw(ends)}"
    return (head + draw(ends)).encode("latin-1") + draw(st.binary(max_size=12))


@settings(max_examples=1500, deadline=None)
@given(requests())
@example(b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 7\r\n\r\nabcdefg")
@example(b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc")
@example(b"GET /api/v1/mailbox?after=0 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n")
def test_whatever_is_read_on_the_loop_gunicorn_reads_the_same_way(data):
    ours = read_hot(data)
    if not isinstance(ours, HotRequest):
        return

    theirs = next(RequestParser(Config(), iter([data]), ("127.0.0.1", 1)))

    assert (theirs.method, theirs.path, theirs.query) == (ours.method, ours.path, ours.query)
    assert [(name.lower().encode(), value.encode("latin-1")) for name, value in theirs.headers] == ours.headers
    assert theirs.body.read() == ours.body
    assert theirs.unreader.read(len(data)) == data[ours.size :] if ours.size < len(data) else True


@given(st.binary(max_size=300))
def test_no_bytes_at_all_make_the_reader_fail(data):
    found = read_hot(data)

    assert found is None or found is INCOMPLETE or isinstance(found, HotRequest)


def test_a_body_that_is_not_whole_yet_is_waited_for():
    head = b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"

    assert read_hot(head + b"12345") is INCOMPLETE
    assert isinstance(read_hot(head + b"1234567890"), HotRequest)


# -- a real worker -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(migrated_sqlite, tmp_path_factory) -> Iterator[Gunicorn]:
    """One for all: nothing that is sent here may harm who comes after."""
    folder = tmp_path_factory.mktemp("worker")
    shutil.copy(migrated_sqlite, folder / "letterbox.db")
    started = Gunicorn(make_settings(folder, max_body_bytes=200_000, rooms_per_address="10000/hour"), environ=PARKING)
    yield started.start()
    started.close()


@contextlib.contextmanager
def wire(server: Gunicorn) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        yield connection


def answers(connection: socket.socket, count: int) -> list[tuple[int, bytes]]:
    """(status, body) of so many answers."""
    found, buffer = [], b""
    while len(found) < count:
        match = re.match(rb"HTTP/1\.1 (\d+) .*?\r\nContent-Length: (\d+)\r\n.*?\r\n\r\n", buffer, re.DOTALL | re.IGNORECASE)
        if match and len(buffer) >= match.end() + int(match[2]):
            found.append((int(match[1]), buffer[match.end() : match.end() + int(match[2])]))
            buffer = buffer[match.end() + int(match[2]) :]
            continue
        data = connection.recv(65536)
        assert data, f"closed after {found} {buffer!r}"
        buffer += data
    return found


def poll_of(token: str, after: int = 0, wait_s: int = 0, nonce: str = "n") -> bytes:
    line = f"GET /api/v1/mailbox?after={after}&wait_s={wait_s}&nonce={nonce} HTTP/1.1"
    return f"{line}\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def post_of(token: str, *messages: dict, close: bool = False) -> bytes:
    body = json.dumps({"messages": messages}).encode()
    head = f"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + (b"Connection: close\r\n" if close else b"") + b"\r\n" + body


@pytest.fixture
def pair(server):
    room, _ = server.room()
    return server.join(room, "Alice"), server.join(room, "Bob")


def test_requests_sent_in_one_go_are_answered_in_their_order(server, pair):
    alice, bob = pair
    note = {"to": bob.id, "kind": "note", "body": {}}

    with wire(server) as connection:
        connection.sendall(
            post_of(alice.token, {"n": 1, **note}) + post_of(alice.token, {"n": 2, **note})
            + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
            + post_of(alice.token, {"n": 3, **note})
        )  # fmt: skip
        found = answers(connection, 4)

    assert [json.loads(body) for _, body in found] == [{"n": 1}, {"n": 2}, {"status": "ok"}, {"n": 3}]


def test_a_request_that_arrives_byte_by_byte_is_answered(server, pair):
    alice, bob = pair

    with wire(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post_of(alice.token, {"n": 1, "to": bob.id, "kind": "note", "body": {"x": "y" * 40}}):
            connection.sendall(bytes([byte]))
        assert answers(connection, 1) == [(200, b'{"n":1}')]


def test_what_follows_a_parked_poll_waits_for_its_answer(server, pair):
    alice, bob = pair

    with wire(server) as connection:
        connection.sendall(poll_of(bob.token, after=0, wait_s=20) + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        alice.say(bob, {"x": 1})
        first, second = answers(connection, 2)

    assert json.loads(first[1])["messages"][-1]["body"] == {"x": 1}
    assert json.loads(second[1]) == {"status": "ok"}


def test_a_connection_that_is_to_be_closed_is_closed_after_its_answer(server, pair):
    alice, bob = pair

    with wire(server) as connection:
        connection.sendall(post_of(alice.token, {"n": 1, "to": bob.id, "kind": "note", "body": {}}, close=True))
        assert answers(connection, 1)[0][0] == 200
        assert connection.recv(10) == b""


def test_a_proxy_that_speaks_http_1_0_is_answered(server, pair):
    _, bob = pair

    with wire(server) as connection:
        connection.sendall(poll_of(bob.token).replace(b"HTTP/1.1", b"HTTP/1.0"))
        data = b"".join(iter(lambda: connection.recv(65536), b""))

    assert data.split(b"\r\n")[0].endswith(b"200 OK")
    assert b'"messages"' in data


def test_a_chunked_body_is_read(server, pair):
    alice, bob = pair
    body = json.dumps({"messages": [{"n": 1, "to": bob.id, "kind": "note", "body": {}}]}).encode()

    with wire(server) as connection:
        connection.sendall(
            f"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n".encode()
            + b"Transfer-Encoding: chunked\r\n\r\n"
            + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        )
        assert answers(connection, 1) == [(200, b'{"n":1}')]


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", {400}),
        (b"GET /api/v1/mailbox HTTP/9.9\r\n\r\n", {400}),
        (b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", {400}),
        (b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", {400}),
        (b"GET /api/v1/mailbox HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", {400, 431}),
        (b"GET /" + b"a" * 70_000, {400, 414, 431}),
    ],
)
def test_what_is_no_request_is_refused_and_harms_nobody_else(server, pair, data, statuses):
    alice, bob = pair

    with wire(server) as connection:
        connection.sendall(data)
        answer = connection.recv(65536)

    assert int(answer.split()[1]) in statuses
    assert alice.say(bob).status == 200


def test_a_body_over_the_limit_is_refused_and_nothing_is_sent(server, pair):
    alice, bob = pair

    refused = alice.send([{"n": 1, "to": bob.id, "kind": "note", "body": {"x": "y" * 60_000}}] * 4)

    assert refused.status == 413
    assert alice.say(bob).status == 200


def test_who_hangs_up_while_a_poll_is_parked_is_absent_and_comes_back_to_all_it_missed(server, pair):
    alice, bob = pair
    with wire(server) as connection:
        connection.sendall(poll_of(bob.token, wait_s=20))
    alice.say(bob, {"x": 1})

    assert bob.hear()[-1]["body"] == {"x": 1}


def test_500_connections_that_say_nothing_and_500_that_stop_in_mid_request_stop_nobody(server, pair):
    alice, bob = pair
    with contextlib.ExitStack() as stack:
        for number in range(1000):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            if number % 2:
                connection.sendall(b"POST /api/v1/rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        waiting = bob.waits()

        assert alice.say(bob, {"x": 1}).status == 200
        assert waiting.result(timeout=10)["messages"][-1]["body"] == {"x": 1}
        assert server.get("rooms/none").status == 404


def test_both_doors_of_the_hot_calls_give_the_same_answers(sqlite, serve):
    kept = []
    for way in ("direct", "flask"):
        server = serve(sqlite.settings(), LETTERBOX_HOT_PATH=way, **PARKING)
        room, _ = server.room()
        alice, bob = server.join(room, "Alice"), server.join(room, "Bob")
        tries = [
            alice.say(bob, {"x": 1}), alice.send([]), alice.send([{"n": 9, "to": bob.id, "kind": "note", "body": {}}]),
            alice.send([{"n": 2, "to": "nobody", "kind": "note", "body": {}}]),
            alice.send([{"n": 2, "to": bob.id, "kind": "left", "body": {}}]),
            bob.ask(after=0), bob.ask(after=99), server.get("mailbox?after=0&wait_s=0&nonce=x", token="pt_wrong"),
        ]  # fmt: skip
        kept.append([(reply.status, re.sub(r"p[a-z0-9]{11}|\d{13}", "…", json.dumps(reply.json))) for reply in tries])

    assert kept[0] == kept[1]


def test_a_client_that_does_not_read_its_answer_stops_nobody(server, pair):
    alice, bob = pair
    for _ in range(30):
        alice.say(bob, {"x": "y" * 60_000})
    with wire(server) as connection:
        connection.sendall(poll_of(bob.token) * 3)

        eventually(lambda: server.get("rooms/none").status == 404)
        assert len(json.loads(answers(connection, 3)[2][1])["messages"]) == 30


STRANGERS = {
    "a large body that never comes": b"POST /api/v1/rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n{",
    "a body over the limit": b"POST /api/v1/rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n{",
    "chunks that never end": b"POST /api/v1/rooms HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "a promise": b"POST /api/v1/rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    "an upload with a wrong key": b"POST /api/v1/recordings/r/uploads/x?offset=0 HTTP/1.1\r\nHost: x\r\n"
    b"Authorization: Bearer rk_wrong\r\nContent-Length: 8000000\r\n\r\n{",
    "a refused request, and nothing more": b"GET / HTTP/9.9\r\n\r\n",
    "pages that are not read": b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n" * 8,
}


def test_slow_strangers_of_every_kind_take_no_thread_from_others(server, pair):
    """60 of each kind; there are 40 threads."""
    alice, bob = pair
    for kind, data in STRANGERS.items():
        with contextlib.ExitStack() as stack:
            for _ in range(60):
                connection = stack.enter_context(socket.socket())
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.connect(("127.0.0.1", server.port))
                connection.sendall(data)

            # Well before anybody's patience with them is over.
            assert server._http.get("/api/v1/rooms/none", timeout=15).status_code == 404, kind
            assert alice.say(bob, {"x": 1}).status == 200, kind


def test_a_body_is_read_by_the_loop_a_recorders_upload_by_a_thread_and_what_is_too_large_by_nobody(server):
    room, host_key = server.room()
    server.join(room, "Alice", host_key)
    recording = server.post(f"rooms/{room}/recording", {"action": "start"}, host_key)["recording"]["id"]
    with wire(server) as connection:
        connection.sendall(b"POST /api/v1/rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b'{"title":"x"}')
        assert connection.recv(65536).startswith(b"HTTP/1.1 201")
    with wire(server) as connection:
        connection.sendall(STRANGERS["a body over the limit"])
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")

    sent = server.post(f"recordings/{recording}/uploads/a.webm?offset=0", None, RECORDER_KEY, data=b"x" * 3_000_000)

    assert (sent.status, sent.json) == (200, {"received": 3_000_000})


def test_where_all_places_are_taken_those_who_asked_nothing_make_room(sqlite, serve):
    server = serve(sqlite.settings(), LETTERBOX_CONNECTIONS="40", **PARKING)
    room, _ = server.room()
    alice, bob = server.join(room, "Alice"), server.join(room, "Bob")
    alice.hear()
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))

        assert bob.say(alice, {"x": 1}).status == 200
        assert httpx.get(f"{server.url}/healthz", timeout=15).status_code == 200
        assert alice.hear()[-1]["body"] == {"x": 1}


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.integers(1, 30), st.sampled_from([b"", b"X-Trailer: 1\r\n"]))
def test_a_chunked_body_is_whole_where_it_ends_and_nowhere_before(pieces, step, trailer):
    body = b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailer + b"\r\n"
    begin, found = 0, None
    for here in range(0, len(body), step):
        found, begin = end_of_chunks(body[:here], begin)
        assert found is None

    assert end_of_chunks(body + b"GET / HTTP/1.1", begin)[0] == len(body)
