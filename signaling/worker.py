"""A gunicorn worker that parks connections: a waiting poll holds its socket and a small record, no thread, no greenlet.

It is gunicorn's thread worker with one difference. The calls that everything waits for, GET /mailbox and POST /messages
(and POST /mailboxes, a GET /mailbox for several, and POST /chunks, which waits for media), are served on the event loop itself,
and their answers may come later: a poll is parked until its message is committed, and all messages that arrived in one turn of
the loop are committed together. Of these, what comes from somebody we know and is asked the usual way is answered by the
functions of `hot.py` directly, anything else by Flask's views over the same functions (LETTERBOX_HOT_PATH=flask: all of it).
Every other request goes to gunicorn's thread pool, parser and limits unchanged.

    socket readable → read what is there → a whole hot request? → hot.py → answer now | parked | queued for the commit
                                         → a whole other request? → thread pool → back to the loop
    end of the turn → one transaction for everything queued → parked polls answered → senders answered

Nothing here blocks but the commit. A request is handed on only when it is whole, and of its answer a thread waits for nothing
that the loop can send: slow senders and slow readers hold no thread. Only a recorder's upload is read while it comes; downloads
have threads of their own. Over TLS it is the stock worker: put a proxy in front instead.
"""

import io
import re
import selectors
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from socket import (
    AF_UNIX,
    IPPROTO_TCP,
    SHUT_WR,
    SO_KEEPALIVE,
    SOL_SOCKET,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_USER_TIMEOUT,
    socket,
)
from typing import TYPE_CHECKING, Any

from gunicorn.http import wsgi
from gunicorn.workers.gthread import TConn, ThreadWorker

from signaling import auth, calls, cors, errors, hot, metrics
from signaling.lean import Later
from signaling.proxies import neighbourhood

if TYPE_CHECKING:
    from signaling.auth import Caller, Callers
    from signaling.delivery import Mailboxes
    from signaling.mailbox import Posting
    from signaling.server import Server
    from signaling.several import SeveralPolls

MAX_HEAD_BYTES = 65_536
# A longer one may be over one of gunicorn's limits (limit_request_line is 4,094 bytes): gunicorn's to say.
MAX_HOT_HEAD_BYTES = 4_094
# A hot request with a larger body is not read here. Of any other the settings say how large it may be.
MAX_BUFFERED_BYTES = 1 << 20
# A chunked body is looked at again and again while it comes.
MAX_CHUNKED_BYTES, MAX_CHUNK_LINE = 256 << 10, 300
# All that has come of requests that are not whole yet: beyond it, who has sent most goes.
MAX_WAITING_BYTES = 256 << 20
# What a thread leaves to the loop of an answer that is not read at once; beyond it the thread waits.
MAX_LEFT_BYTES = 1 << 20
# Films are fetched slowly, by many: they never take the threads of everything else.
DOWNLOAD_THREADS = 64
# After the last answer what still comes is read and dropped for so long, or the answer may be lost (RFC 9112 section 9.6).
LINGER_S = 2.0
# What a client may take to send one request, seconds: the head and a buffered body together.
REQUEST_S = 20.0
SWEEP_S = 2.0
RECEIVE_BYTES = 65_536

# Only the plainest form of the hot calls is read here; whatever else a head may be is gunicorn's to read
# (RFC 9112 sections 3 and 5).
HOT_HEAD = re.compile(
    rb"(?:GET (/api/v1/mailbox)(?:\?([\w=&.~%-]*))?|POST (/api/v1/(?:messages|mailboxes))"
    rb"|POST (/api/v1/chunks)(?:\?([\w=&.,~%-]*))?) HTTP/1\.1\r\n"
    rb"((?:[A-Za-z0-9-]+:[\t -~]*\r\n)+)\r\n",
    re.ASCII,
)
HEADER = re.compile(rb"([A-Za-z0-9-]+):[\t ]*([\t -~]*?)[\t ]*\r\n")
LENGTH = re.compile(rb"\r\ncontent-length:[\t ]*(\d{1,15})[\t ]*\r\n", re.IGNORECASE)
# These change how a message is framed or what happens to the connection: gunicorn's to decide.
NOT_HOT = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"trailer", b"te", b"proxy-connection", b"content-encoding"})
CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
EXPECT = re.compile(rb"\r\nexpect:[^\r]*", re.IGNORECASE)
BEARER = re.compile(rb"\r\nauthorization:[\t ]*bearer[\t ]+([\x21-\x7e]+)", re.IGNORECASE)
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[\t ]*(?:;[^\r\n]*)?\r\n")
DOWNLOAD = re.compile(rb"(?:GET|HEAD) /api/v1/(?:artifacts/|recordings/[^/ ]+/archive)")


class HotRequest:
    """One GET /mailbox, POST /messages, POST /mailboxes or POST /chunks as it came.

    headers: (lower-case name, value); size: bytes it took."""

    __slots__ = ("body", "headers", "keep_alive", "method", "path", "query", "size")

    def __init__(
        self, method: str, path: str, query: str, headers: list[tuple[bytes, bytes]], body: bytes, size: int, keep_alive: bool
    ):
        self.method, self.path, self.query = method, path, query
        self.headers, self.body, self.size, self.keep_alive = headers, body, size, keep_alive

    @property
    def token(self) -> str:
        """The bearer token, "" without one."""
        said = self.header(b"authorization")
        return said[7:] if said[:7] == "Bearer " else ""

    def header(self, wanted: bytes) -> str:
        """A header's value by its lower-case name, "" without it."""
        for name, value in self.headers:
            if name == wanted:
                return value.decode("latin-1")
        return ""


INCOMPLETE = object()


def read_hot(buffer: bytes | bytearray) -> HotRequest | object | None:
    """The hot request the buffer begins with; INCOMPLETE when its body is still on its way; None when it is not for us.

    The buffer holds a whole head.
    """
    match = HOT_HEAD.match(buffer)
    if match is None or match.end() > MAX_HOT_HEAD_BYTES:
        return None
    headers = [(name.lower(), value) for name, value in HEADER.findall(match[6])]
    named = dict(headers)
    if len(named) != len(headers) or not NOT_HOT.isdisjoint(named) or b"host" not in named:
        return None
    connection = named.get(b"connection", b"keep-alive").lower()
    if connection not in (b"keep-alive", b"close"):
        return None
    length = named.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > 9 or int(length) > MAX_BUFFERED_BYTES:
        return None
    end = match.end() + int(length)
    if len(buffer) < end:
        return INCOMPLETE
    get = match[1] is not None
    return HotRequest(
        "GET" if get else "POST",
        (match[1] or match[3] or match[4]).decode(),
        (match[2] or match[5] or b"").decode(),
        headers,
        bytes(buffer[match.end() : end]),
        end,
        connection == b"keep-alive",
    )


def end_of_chunks(buffer: bytes | bytearray, begin: int) -> tuple[int | None, int]:
    """Where a chunked body ends that goes on at `begin` with a chunk's first line (RFC 9112 section 7.1); and where to go on.

    None: not whole yet. A wrong chunk is the end: gunicorn's to refuse.
    """
    while True:
        chunk = CHUNK.match(buffer, begin)
        if chunk is None:
            # Only the line of a chunk that has not come yet may be incomplete.
            return (None, begin) if len(buffer) - begin < MAX_CHUNK_LINE else (len(buffer), begin)
        size = int(chunk[1], 16)
        if size == 0:
            # Then trailers, and an empty line.
            end = buffer.find(b"\r\n\r\n", chunk.end() - 2)
            return (None, begin) if end < 0 else (end + 4, begin)
        if chunk.end() + size + 2 > len(buffer):
            return None, begin
        begin = chunk.end() + size + 2


class HandedSocket:
    """A connection's socket in a thread's hands: what the other end does not take at once is left for the loop to send.

    Whatever the thread does wait for (a recorder's upload, a large download), it waits for REQUEST_S at most.
    """

    def __init__(self, sock: socket) -> None:
        self._sock = sock
        self.left: list[bytes] = []
        self._left_n = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def setblocking(self, blocking: bool) -> None:
        self._sock.settimeout(REQUEST_S if blocking else 0)

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        if not self.left:
            rest = rest[self._send_now(rest) :]
        if self._left_n + len(rest) > MAX_LEFT_BYTES:
            self._flush()
            self._sock.sendall(rest)
        elif rest:
            self.left.append(bytes(rest))
            self._left_n += len(rest)

    def _send_now(self, data: memoryview) -> int:
        self._sock.setblocking(False)
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        finally:
            self._sock.settimeout(REQUEST_S)

    def _flush(self) -> None:
        left, self.left, self._left_n = self.left, [], 0
        self._sock.sendall(b"".join(left))

    def sendfile(self, *arguments: Any, **more: Any) -> int:
        self._flush()
        return self._sock.sendfile(*arguments, **more)


_KEYS: dict[bytes, str] = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


def environ_key(name: bytes) -> str:
    """The WSGI name of a header (PEP 3333). Remembered: clients send the same few."""
    key = _KEYS.get(name)
    if key is None:
        key = "HTTP_" + name.decode().upper().replace("-", "_")
        if len(_KEYS) < 500:
            _KEYS[name] = key
    return key


REASONS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
JSON, CHUNKS = "application/json", "application/octet-stream"
OK_HEADS = {
    kind: f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\nContent-Length: ".encode()
    for kind in (JSON, CHUNKS)
}  # fmt: skip


def written(status: str, headers: Iterable[tuple[str, str]], body: bytes, keep_alive: bool) -> bytes:
    """A whole answer as bytes. Header values come from werkzeug, which has refused line breaks."""
    lines = [f"HTTP/1.1 {status}"]
    lines += [f"{name}: {value}" for name, value in headers if name.lower() not in ("content-length", "connection")]
    lines.append(f"Content-Length: {len(body)}")
    lines.append("Connection: keep-alive\r\n\r\n" if keep_alive else "Connection: close\r\n\r\n")
    return "\r\n".join(lines).encode("latin-1") + body


def written_ok(body: bytes, keep_alive: bool, for_origin: cors.Headers = (), content_type: str = JSON) -> bytes:
    """The answer of a hot call that went well. for_origin: what a page of another origin needs to read it."""
    if for_origin:
        kind = ("Content-Type", content_type), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")
        return written("200 OK", kind + for_origin, body, keep_alive)
    end = b"\r\nConnection: keep-alive\r\n\r\n" if keep_alive else b"\r\nConnection: close\r\n\r\n"
    return b"".join((OK_HEADS[content_type], str(len(body)).encode(), end, body))


class Connection:
    """One client's socket on the loop, and what it waits for: the exchange a hot call's view talks to, the waiter of its poll.

    busy: a request is being answered; the next one waits in the buffer. deadline: monotonic seconds, when an idle or slow
    connection is closed; None while an answer is owed. pieces, waiting_n: what came after the buffer, which is not looked at
    before it has wanted_n bytes. begin: up to there a chunked body was looked at.
    lingering: everything is said, what comes is dropped. served: it has asked something.
    """

    __slots__ = (
        "begin",
        "body",
        "buffer",
        "busy",
        "client",
        "closed",
        "content_type",
        "deadline",
        "for_origin",
        "keep_alive",
        "lingering",
        "loop",
        "nonce",
        "outgoing",
        "participant",
        "pieces",
        "served",
        "server",
        "several",
        "sock",
        "waiting_n",
        "wanted_n",
    )

    def __init__(self, loop: "ParkingWorker", sock: socket, client: Any, server: Any, deadline: float) -> None:
        self.loop, self.sock, self.client, self.server = loop, sock, client, server
        self.buffer = b""
        self.pieces: list[bytes] = []
        self.begin = self.waiting_n = self.wanted_n = 0
        self.body = self.outgoing = b""
        self.busy = self.closed = self.lingering = self.served = False
        self.keep_alive = True
        self.content_type = JSON
        self.deadline: float | None = deadline
        self.for_origin: cors.Headers = ()
        self.nonce = ""
        self.participant = ""
        self.several: SeveralPolls | None = None

    # -- called by the views -----------------------------------------------------------------------------------------------

    def park(self, mailboxes: "Mailboxes", participant: str, after: int, wait_s: float, nonce: str) -> bytes | None:
        """Answer now (bytes), or later through `answer` (None)."""
        self.nonce, self.participant, self.several = nonce, participant, None
        return mailboxes.poll(participant, after, wait_s, self)

    def park_on_several(self, several: "SeveralPolls", wait_s: float) -> bytes | None:
        """As `park`, on several mailboxes at once."""
        self.participant, self.several = "", several
        return several.poll(wait_s)

    def park_on_chunks(self, server: "Server", caller: "Caller", query: str, body: bytes) -> bytes | None:
        """As `park`, for media."""
        self.participant, self.several, self.content_type = caller.id, None, CHUNKS
        return hot.chunks(server, caller, query, body, self)

    def queue(self, posting: "Posting") -> None:
        """Commit with everything else of this turn; the answer follows the commit."""
        self.loop.postings.append((self, posting))

    # -- called by whoever has the answer, on any thread -----------------------------------------------------------------------

    def answer(self, body: bytes) -> None:
        keep_alive = self.keep_alive and self.loop.alive
        self.loop.on_loop(self.respond, written_ok(body, keep_alive, self.for_origin, self.content_type))

    def refuse(self, problem: errors.Problem) -> None:
        response = calls.refusal(problem)
        headers = (*response.headers.items(), *self.for_origin)
        data = written(response.status, headers, response.get_data(), self.keep_alive and self.loop.alive)
        self.loop.on_loop(self.respond, data)

    def respond(self, data: bytes) -> None:
        """Send a whole answer; on the loop."""
        if not self.closed:
            self.busy = False
            self.loop.sent_bytes += len(data)
            self.loop.send(self, data)


class ParkingWorker(ThreadWorker):  # type: ignore[misc]
    """See the module's text."""

    def init_process(self) -> None:
        self.postings: list[tuple[Connection, Posting]] = []
        self.connections: set[Connection] = set()
        self.thread = threading.get_ident()
        self.swept_s = self.told_s = 0.0
        self.received_bytes = self.sent_bytes = 0
        self.base_environ = wsgi.base_environ(self.cfg) | {"wsgi.multithread": True, "wsgi.url_scheme": "http", "SCRIPT_NAME": ""}
        super().init_process()

    # -- the loop ----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        if self.cfg.is_ssl:
            super().run()
            return
        self.server: Server = self.wsgi.extensions["letterbox"]
        self.callers: Callers = self.wsgi.extensions["letterbox_callers"]
        self.mailboxes, self.chunks = self.server.mailboxes, self.server.chunks
        self.direct = self.server.settings.hot_path == "direct"
        self.embed_origins = self.server.settings.embed_origins
        self.proxies = self.server.proxies
        self.max_body_bytes = self.server.settings.max_body_bytes
        self.downloads = ThreadPoolExecutor(DOWNLOAD_THREADS, thread_name_prefix="download")
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self._callbacks)
        self.set_accept_enabled(True)
        while self.alive:
            self._turn(1.0)
            if not self.is_parent_alive():
                break
        self._wind_down()

    def _turn(self, longest_s: float) -> None:
        now = time.monotonic()
        if now - self.told_s >= 1.0:
            self.told_s = now
            self.notify()
            self._count_bytes()
            if self.nr_conns >= self.worker_connections:
                self._make_room()
            can_accept = self.alive and self.nr_conns < self.worker_connections
            if can_accept != self._accepting:
                self.set_accept_enabled(can_accept)
        due = [due for due in (self.mailboxes.expire(), self.chunks.expire()) if due is not None]
        self._dispatch(min(longest_s, *(max(0.0, seconds) for seconds in due)) if due else longest_s)
        if self.postings:
            arrived_s = time.monotonic()
            self._commit()
            metrics.DELIVERY.observe(time.monotonic() - arrived_s)
        if now - self.swept_s >= SWEEP_S:
            self.swept_s = now
            self._sweep(now)

    def _count_bytes(self) -> None:
        metrics.RECEIVED.inc(self.received_bytes)
        metrics.SENT.inc(self.sent_bytes)
        self.received_bytes = self.sent_bytes = 0

    def _dispatch(self, timeout: float) -> None:
        for key, mask in self.poller.select(timeout):
            target = key.data
            if type(target) is not Connection:
                target(key.fileobj)
            elif mask & selectors.EVENT_WRITE:
                self._flush(target)
            else:
                self._readable(target)

    def _callbacks(self, fileobj: Any) -> None:
        self.method_queue.run_callbacks(fileobj)

    def on_loop(self, call: Callable[[bytes], None], data: bytes) -> None:
        """Do this on the loop: now if we are on it, else as soon as it turns."""
        if threading.get_ident() == self.thread:
            call(data)
        else:
            self.method_queue.defer(call, data)

    def _wind_down(self) -> None:
        """SIGTERM: answer every poll, let the pool finish, close."""
        self.set_accept_enabled(False)
        self.mailboxes.shut()
        self.chunks.shut()
        until = time.monotonic() + self.cfg.graceful_timeout
        while self.nr_conns > 0 and time.monotonic() < until:
            for connection in [c for c in self.connections if not c.busy and not c.outgoing]:
                self._close(connection)
            if self.nr_conns > 0:
                self._turn(0.1)
        self.tpool.shutdown(wait=False)
        self.downloads.shutdown(wait=False, cancel_futures=True)
        for connection in list(self.connections):
            self._close(connection)
        self.poller.close()
        self.method_queue.close()
        for listener in self.sockets:
            listener.close()

    def _sweep(self, now: float) -> None:
        for connection in [c for c in self.connections if c.deadline is not None and c.deadline < now]:
            self._close(connection)
        waiting_n = sum(c.waiting_n for c in self.connections)
        if waiting_n > MAX_WAITING_BYTES:
            for connection in sorted(self.connections, key=lambda c: c.waiting_n, reverse=True):
                waiting_n -= connection.waiting_n
                self._close(connection)
                if waiting_n <= MAX_WAITING_BYTES // 2:
                    break

    def _make_room(self) -> None:
        """All places are taken: a tenth is given to others, first of those who have asked nothing, then of those who idle."""
        idle = [c for c in self.connections if not c.busy and not c.outgoing]
        idle.sort(key=lambda c: (c.served, c.deadline or 0.0))
        for connection in idle[: max(1, self.worker_connections // 10)]:
            self._close(connection)

    # -- connections -------------------------------------------------------------------------------------------------------

    def accept(self, listener: socket) -> None:
        if self.cfg.is_ssl:
            super().accept(listener)
            return
        try:
            sock, client = listener.accept()
        except OSError:
            return  # gone again, or taken by another worker
        sock.setblocking(False)
        _notice_death(sock)
        connection = Connection(self, sock, client, listener.getsockname(), time.monotonic() + REQUEST_S)
        self.nr_conns += 1
        self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        self.connections.add(connection)
        self.poller.register(connection.sock, selectors.EVENT_READ, connection)

    def _unwatch(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self.poller.unregister(connection.sock)

    def _close(self, connection: Connection) -> None:
        if connection.closed:
            return
        connection.closed = True
        self._unwatch(connection)
        self.nr_conns -= 1
        if connection.busy and connection.content_type is CHUNKS:
            self.chunks.hung_up(connection.participant, connection)
        elif connection.busy and connection.participant:
            self.mailboxes.hung_up(connection.participant, connection)
        if connection.busy and connection.several is not None:
            connection.several.hung_up()
        connection.sock.close()

    def _readable(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or connection.waiting_n > MAX_HEAD_BYTES + max(MAX_BUFFERED_BYTES, self.max_body_bytes):
            self._close(connection)
            return
        if connection.lingering:
            return
        connection.waiting_n += len(data)
        if connection.waiting_n < connection.wanted_n:
            # Joined once, when it is all there: not for every few bytes that somebody sends one by one.
            connection.pieces.append(data)
            return
        connection.buffer = b"".join((connection.buffer, *connection.pieces, data))
        connection.pieces, connection.wanted_n = [], 0
        if not connection.busy:
            self._serve(connection)

    def _serve(self, connection: Connection) -> None:
        """Answer the whole requests in the buffer, one after the other."""
        while connection.buffer and not connection.busy and not connection.closed and not connection.outgoing:
            head_end = connection.buffer.find(b"\r\n\r\n")
            if head_end < 0 and len(connection.buffer) <= MAX_HEAD_BYTES:
                break
            request = read_hot(connection.buffer) if head_end >= 0 else None
            if isinstance(request, HotRequest):
                connection.buffer = connection.buffer[request.size :]
                self._serve_hot(connection, request)
            elif head_end < 0 or self._is_for_a_thread(connection, head_end + 4):
                self._hand_over(connection)
                return
            else:
                break
        connection.waiting_n = len(connection.buffer)
        if not connection.busy and not connection.closed and not connection.lingering:
            # From the first byte of a request its sender has so long to send it all.
            patience = REQUEST_S if connection.buffer else self.cfg.keepalive
            if connection.deadline is None or not connection.buffer:
                connection.deadline = time.monotonic() + patience

    def _is_for_a_thread(self, connection: Connection, head_size: int) -> bool:
        """Whether all of a request is here, or may be waited for by a thread; if not, what is to be done until it is."""
        head, here = connection.buffer[:head_size], len(connection.buffer)
        length, chunked = LENGTH.search(head), CHUNKED.search(head) is not None
        body = int(length[1]) if length else 0
        if (chunked or body > MAX_BUFFERED_BYTES) and self._has_recorder_key(head):
            return True
        most = MAX_CHUNKED_BYTES if chunked else max(MAX_BUFFERED_BYTES, self.max_body_bytes)
        if chunked:
            end, connection.begin = end_of_chunks(connection.buffer, connection.begin or head_size)
            body = here - head_size
            if end is not None:
                return True
        if body > most:
            connection.busy, connection.keep_alive = True, False
            connection.refuse(errors.too_large(most, "A request"))
            return False
        if not chunked and here >= head_size + body:
            return True
        if EXPECT.search(head):
            # Said here, so that no thread waits for what is promised.
            head = EXPECT.sub(b"", head)
            connection.buffer, connection.begin = head + connection.buffer[head_size:], 0
            self._say_continue(connection)
        connection.wanted_n = 0 if chunked else len(head) + body
        return False

    def _has_recorder_key(self, head: bytes) -> bool:
        bearer = BEARER.search(head)
        return bearer is not None and auth.is_recorder_key(self.server, bearer[1].decode())

    def _say_continue(self, connection: Connection) -> None:
        try:
            connection.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        except OSError:
            self._close(connection)

    # -- hot requests: Flask on the loop -------------------------------------------------------------------------------------

    def _serve_hot(self, connection: Connection, request: HotRequest) -> None:
        connection.busy, connection.keep_alive, connection.deadline = True, request.keep_alive, None
        connection.served, connection.content_type = True, JSON
        if self.embed_origins:
            connection.for_origin = cors.headers(self.embed_origins, request.header(b"origin"))
        self.nr += 1
        self.received_bytes += request.size
        if not self._serve_directly(connection, request):
            self._serve_by_flask(connection, request)

    def _serve_directly(self, connection: Connection, request: HotRequest) -> bool:
        """Answer whom we know and what is asked the usual way without walking through Flask. False: Flask's to answer."""
        if not self.direct:
            return False
        caller = self.callers.known(request.token)
        if caller is None:
            return False
        try:
            self.server.bursts.hot.spend(self._whose(connection, request))
            if request.path.endswith("/mailboxes"):
                return False
            if request.path.endswith("/chunks"):
                found = connection.park_on_chunks(self.server, caller, request.query, request.body)
                if found is not None:
                    connection.answer(found)
                return True
            if request.method == "POST":
                connection.queue(hot.posting(self.server, caller, request.body))
                return True
            asked = hot.usual_poll(request.query)
            if asked is None:
                return False
            self.server.bursts.polls.spend(caller.id)
            found = connection.park(self.mailboxes, caller.id, *asked)
            if found is not None:
                connection.answer(found)
        except errors.Problem as problem:
            connection.refuse(problem)
        return True

    def _whose(self, connection: Connection, request: HotRequest) -> str:
        """Whom the limit by address is for."""
        peer = connection.client[0] if isinstance(connection.client, tuple) else ""
        if self.proxies.hops:
            peer = self.proxies.client(peer, request.header(b"x-forwarded-for"))
        return neighbourhood(peer)

    def _serve_by_flask(self, connection: Connection, request: HotRequest) -> None:
        connection.body = request.body
        started: list[Any] = []
        try:
            chunks = self.wsgi(self._environ(connection, request), lambda *status_and_headers: started.extend(status_and_headers))
            body = b"".join(chunks)
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        except Exception:
            self.log.exception("Error handling %s %s", request.method, request.path)
            started, body = ["500 Internal Server Error", []], b""
        connection.body = b""
        if started[0] is Later.line:
            return
        connection.respond(written(started[0], started[1], body, connection.keep_alive and self.alive))

    def _environ(self, connection: Connection, request: HotRequest) -> dict[str, Any]:
        environ: dict[str, Any] = self.base_environ.copy()
        for name, value in request.headers:
            environ[environ_key(name)] = value.decode("latin-1")
        environ["REQUEST_METHOD"] = request.method
        environ["PATH_INFO"] = environ["RAW_URI"] = request.path
        environ["QUERY_STRING"] = request.query
        environ["SERVER_PROTOCOL"] = "HTTP/1.1"
        environ["SERVER_NAME"], environ["SERVER_PORT"] = _host_and_port(connection.server)
        environ["REMOTE_ADDR"] = connection.client[0] if isinstance(connection.client, tuple) else ""
        environ["wsgi.input"] = io.BytesIO(request.body)
        environ["letterbox.exchange"] = connection
        return environ

    def _commit(self) -> None:
        """Everything queued in this turn, in one transaction; then tell each sender how it went."""
        queued, self.postings = self.postings, []
        try:
            with self.server.transaction() as tx:
                outcomes = tx.post([posting for _, posting in queued])
        except errors.Problem as problem:
            outcomes = [problem] * len(queued)
        except Exception:
            self.log.exception("Error committing %d postings", len(queued))
            outcomes = [errors.Problem(500, "internal", "Something went wrong", "This is a fault of the server.")] * len(queued)
        for (connection, _), outcome in zip(queued, outcomes, strict=True):
            if isinstance(outcome, errors.Problem):
                connection.refuse(outcome)
            else:
                connection.answer(b'{"n":%d}' % outcome)

    def send(self, connection: Connection, data: bytes) -> None:
        """Write an answer, as much as the socket takes now and the rest when it takes more; then go on with the buffer."""
        try:
            sent = connection.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(connection)
            return
        if sent < len(data):
            connection.outgoing = data[sent:]
            connection.deadline = time.monotonic() + REQUEST_S
            self.poller.modify(connection.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)
            return
        self._sent(connection)

    def _flush(self, connection: Connection) -> None:
        data, connection.outgoing = connection.outgoing, b""
        if data:
            self.poller.modify(connection.sock, selectors.EVENT_READ, connection)
            self.send(connection, data)

    def _sent(self, connection: Connection) -> None:
        if not connection.keep_alive or not self.alive:
            self._linger(connection)
            return
        connection.deadline = time.monotonic() + self.cfg.keepalive
        if connection.buffer:
            # Not from here: an answer may be sent in the middle of another connection's turn.
            self.method_queue.defer(self._serve, connection)

    def _linger(self, connection: Connection) -> None:
        """Nothing more is said; close when the other end has, or soon."""
        try:
            connection.sock.shutdown(SHUT_WR)
        except OSError:
            self._close(connection)
            return
        connection.lingering, connection.buffer, connection.waiting_n = True, b"", 0
        connection.deadline = time.monotonic() + LINGER_S

    # -- everything else: gunicorn's thread pool ---------------------------------------------------------------------------------

    def _hand_over(self, connection: Connection) -> None:
        """Give the connection to a thread, with what was read of it; gunicorn's own parser reads it again."""
        self._unwatch(connection)
        connection.busy, connection.deadline, connection.served = True, None, True
        handed = HandedSocket(connection.sock)
        conn = TConn(self.cfg, handed, connection.client, connection.server)
        conn.init()
        conn.parser.unreader.unread(connection.buffer)
        pool = self.downloads if DOWNLOAD.match(connection.buffer) else self.tpool
        connection.buffer, connection.begin, connection.waiting_n = b"", 0, 0
        future = pool.submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self._take_back, connection, conn, handed, done))

    def _take_back(self, connection: Connection, conn: TConn, handed: HandedSocket, done: Any) -> None:
        if connection.sock.fileno() < 0:
            connection.closed = True
            self.nr_conns -= 1
            return
        keep_alive = not done.cancelled() and done.exception() is None and done.result() is True
        connection.sock.setblocking(False)
        connection.keep_alive = keep_alive and self.alive
        connection.buffer = conn.parser.unreader.take_buffered() if connection.keep_alive else b""
        connection.waiting_n = len(connection.buffer)
        connection.busy = False
        self._watch(connection)
        self.send(connection, b"".join(handed.left))


def _notice_death(sock: socket) -> None:
    """Let the kernel ask whether the other end still lives: of a laptop that lost its network no packet tells.

    After 4 s of silence three questions, 3 s apart (tcp(7)): known to be gone after 13 s, and the grace time begins.
    """
    if sock.family == AF_UNIX:
        return
    sock.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    for option, value in ((TCP_KEEPIDLE, 4), (TCP_KEEPINTVL, 3), (TCP_KEEPCNT, 3), (TCP_USER_TIMEOUT, 13_000)):
        sock.setsockopt(IPPROTO_TCP, option, value)


def _host_and_port(server: Any) -> tuple[str, str]:
    return (str(server[0]), str(server[1])) if isinstance(server, tuple) else (str(server), "")
