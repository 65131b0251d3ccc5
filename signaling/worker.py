"""A gunicorn worker that parks connections: a waiting poll holds its socket and a small record, no thread, no greenlet.

It is gunicorn's thread worker with one difference. The two calls that everything waits for, GET /mailbox and POST
/messages (and POST /mailboxes, a GET /mailbox for several), are served on the event loop itself, and their answers may come
later: a poll is parked until its message is committed, and all messages that arrived in one turn of the loop are committed
together. Of these, what comes from somebody we know and is asked the usual way is answered by the functions of `hot.py`
directly, anything else by Flask's views over the same functions (LETTERBOX_HOT_PATH=flask: all of it). Every other request
goes to gunicorn's thread pool, parser and limits unchanged.

    socket readable → read what is there → a whole hot request? → hot.py → answer now | parked | queued for the commit
                                         → a whole other request? → thread pool → back to the loop
    end of the turn → one transaction for everything queued → parked polls answered → senders answered

Nothing here blocks but the commit. A request is handed on only when it is whole, so that slow senders hold no thread.
Over TLS it is the stock worker: put a proxy in front instead.
"""

import io
import re
import selectors
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socket import (
    AF_UNIX,
    IPPROTO_TCP,
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

from signaling import calls, cors, errors, hot, metrics
from signaling.lean import Later

if TYPE_CHECKING:
    from signaling.auth import Callers
    from signaling.delivery import Mailboxes
    from signaling.mailbox import Posting
    from signaling.server import Server
    from signaling.several import SeveralPolls

MAX_HEAD_BYTES = 65_536
# A longer one may be over one of gunicorn's limits (limit_request_line is 4,094 bytes): gunicorn's to say.
MAX_HOT_HEAD_BYTES = 4_094
# A request with a larger body (an upload) is read by a thread while it arrives.
MAX_BUFFERED_BYTES = 1 << 20
# What a client may take to send one request, seconds: the head and a buffered body together.
REQUEST_S = 20.0
SWEEP_S = 2.0
RECEIVE_BYTES = 65_536

# Only the plainest form of the two hot calls is read here; whatever else a head may be is gunicorn's to read
# (RFC 9112 sections 3 and 5).
HOT_HEAD = re.compile(
    rb"(?:GET (/api/v1/mailbox)(?:\?([\w=&.~%-]*))?|POST (/api/v1/(?:messages|mailboxes))) HTTP/1\.1\r\n"
    rb"((?:[A-Za-z0-9-]+:[\t -~]*\r\n)+)\r\n",
    re.ASCII,
)
HEADER = re.compile(rb"([A-Za-z0-9-]+):[\t ]*([\t -~]*?)[\t ]*\r\n")
LENGTH = re.compile(rb"\r\ncontent-length:[\t ]*(\d{1,15})[\t ]*\r\n", re.IGNORECASE)
# These change how a message is framed or what happens to the connection: gunicorn's to decide.
NOT_HOT = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"trailer", b"te", b"proxy-connection", b"content-encoding"})
READ_BY_THREAD = re.compile(rb"\r\n(?:transfer-encoding|expect|upgrade):", re.IGNORECASE)


class HotRequest:
    """One GET /mailbox, POST /messages or POST /mailboxes as it came. headers: (lower-case name, value); size: bytes it took."""

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
    headers = [(name.lower(), value) for name, value in HEADER.findall(match[4])]
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
        (match[1] or match[3]).decode(),
        (match[2] or b"").decode(),
        headers,
        bytes(buffer[match.end() : end]),
        end,
        connection == b"keep-alive",
    )


def ready_for_a_thread(buffer: bytes | bytearray, head_end: int) -> bool:
    """Whether another request has come far enough for a thread to read it without waiting for a slow sender."""
    head = buffer[: head_end + 4]
    if READ_BY_THREAD.search(head):
        return True
    length = LENGTH.search(head)
    wanted = int(length[1]) if length else 0
    return wanted > MAX_BUFFERED_BYTES or len(buffer) >= head_end + 4 + wanted


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
OK_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
    b"X-Content-Type-Options: nosniff\r\nContent-Length: "
)


def written(status: str, headers: Iterable[tuple[str, str]], body: bytes, keep_alive: bool) -> bytes:
    """A whole answer as bytes. Header values come from werkzeug, which has refused line breaks."""
    lines = [f"HTTP/1.1 {status}"]
    lines += [f"{name}: {value}" for name, value in headers if name.lower() not in ("content-length", "connection")]
    lines.append(f"Content-Length: {len(body)}")
    lines.append("Connection: keep-alive\r\n\r\n" if keep_alive else "Connection: close\r\n\r\n")
    return "\r\n".join(lines).encode("latin-1") + body


def written_ok(body: bytes, keep_alive: bool, for_origin: cors.Headers = ()) -> bytes:
    """The answer of a hot call that went well. for_origin: what a page of another origin needs to read it."""
    if for_origin:
        kind = ("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")
        return written("200 OK", kind + for_origin, body, keep_alive)
    end = b"\r\nConnection: keep-alive\r\n\r\n" if keep_alive else b"\r\nConnection: close\r\n\r\n"
    return OK_HEAD + str(len(body)).encode() + end + body


class Connection:
    """One client's socket on the loop, and what it waits for: the exchange a hot call's view talks to, the waiter of its poll.

    busy: a request is being answered; the next one waits in the buffer. deadline: monotonic seconds, when an idle or slow
    connection is closed; None while an answer is owed.
    """

    __slots__ = (
        "body",
        "buffer",
        "busy",
        "client",
        "closed",
        "deadline",
        "for_origin",
        "keep_alive",
        "loop",
        "nonce",
        "outgoing",
        "participant",
        "server",
        "several",
        "sock",
    )

    def __init__(self, loop: "ParkingWorker", sock: socket, client: Any, server: Any, deadline: float) -> None:
        self.loop, self.sock, self.client, self.server = loop, sock, client, server
        self.buffer = b""
        self.body = self.outgoing = b""
        self.busy = self.closed = False
        self.keep_alive = True
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

    def queue(self, posting: "Posting") -> None:
        """Commit with everything else of this turn; the answer follows the commit."""
        self.loop.postings.append((self, posting))

    # -- called by whoever has the answer, on any thread -----------------------------------------------------------------------

    def answer(self, body: bytes) -> None:
        self.loop.on_loop(self.respond, written_ok(body, self.keep_alive and self.loop.alive, self.for_origin))

    def refuse(self, problem: errors.Problem) -> None:
        response = calls.refusal(problem)
        headers = (*response.headers.items(), *self.for_origin)
        data = written(response.status, headers, response.get_data(), self.keep_alive and self.loop.alive)
        self.loop.on_loop(self.respond, data)

    def respond(self, data: bytes) -> None:
        """Send a whole answer; on the loop."""
        if not self.closed:
            self.busy = False
            self.loop.send(self, data)


class ParkingWorker(ThreadWorker):  # type: ignore[misc]
    """See the module's text."""

    def init_process(self) -> None:
        self.postings: list[tuple[Connection, Posting]] = []
        self.connections: set[Connection] = set()
        self.thread = threading.get_ident()
        self.swept_s = self.told_s = 0.0
        self.base_environ = wsgi.base_environ(self.cfg) | {"wsgi.multithread": True, "wsgi.url_scheme": "http", "SCRIPT_NAME": ""}
        super().init_process()

    # -- the loop ----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        if self.cfg.is_ssl:
            super().run()
            return
        self.server: Server = self.wsgi.extensions["letterbox"]
        self.callers: Callers = self.wsgi.extensions["letterbox_callers"]
        self.mailboxes = self.server.mailboxes
        self.direct = self.server.settings.hot_path == "direct"
        self.embed_origins = self.server.settings.embed_origins
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
            can_accept = self.alive and self.nr_conns < self.worker_connections
            if can_accept != self._accepting:
                self.set_accept_enabled(can_accept)
        due = self.mailboxes.expire()
        self._dispatch(min(longest_s, max(due, 0.0) if due is not None else longest_s))
        if self.postings:
            arrived_s = time.monotonic()
            self._commit()
            metrics.DELIVERY.observe(time.monotonic() - arrived_s)
        if now - self.swept_s >= SWEEP_S:
            self.swept_s = now
            self._sweep(now)

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
        until = time.monotonic() + self.cfg.graceful_timeout
        while self.nr_conns > 0 and time.monotonic() < until:
            for connection in [c for c in self.connections if not c.busy and not c.outgoing]:
                self._close(connection)
            if self.nr_conns > 0:
                self._turn(0.1)
        self.tpool.shutdown(wait=False)
        for connection in list(self.connections):
            self._close(connection)
        self.poller.close()
        self.method_queue.close()
        for listener in self.sockets:
            listener.close()

    def _sweep(self, now: float) -> None:
        for connection in [c for c in self.connections if c.deadline is not None and c.deadline < now]:
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
        if connection.busy and connection.participant:
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
        if not data or len(connection.buffer) > MAX_HEAD_BYTES + MAX_BUFFERED_BYTES:
            self._close(connection)
            return
        connection.buffer = connection.buffer + data if connection.buffer else data
        if not connection.busy:
            self._serve(connection)

    def _serve(self, connection: Connection) -> None:
        """Answer the whole requests in the buffer, one after the other."""
        while connection.buffer and not connection.busy and not connection.closed and not connection.outgoing:
            head_end = connection.buffer.find(b"\r\n\r\n")
            if head_end < 0 and len(connection.buffer) <= MAX_HEAD_BYTES:
                break
            request = read_hot(connection.buffer) if head_end >= 0 else None
            if request is INCOMPLETE:
                break
            if isinstance(request, HotRequest):
                connection.buffer = connection.buffer[request.size :]
                self._serve_hot(connection, request)
            elif head_end < 0 or ready_for_a_thread(connection.buffer, head_end):
                self._hand_over(connection)
                return
            else:
                break
        if not connection.busy and not connection.closed:
            # From the first byte of a request its sender has so long to send it all.
            patience = REQUEST_S if connection.buffer else self.cfg.keepalive
            if connection.deadline is None or not connection.buffer:
                connection.deadline = time.monotonic() + patience

    # -- hot requests: Flask on the loop -------------------------------------------------------------------------------------

    def _serve_hot(self, connection: Connection, request: HotRequest) -> None:
        connection.busy, connection.keep_alive, connection.deadline = True, request.keep_alive, None
        if self.embed_origins:
            connection.for_origin = cors.headers(self.embed_origins, request.header(b"origin"))
        self.nr += 1
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
            if request.path.endswith("/mailboxes"):
                return False
            if request.method == "POST":
                connection.queue(hot.posting(self.server, caller, request.body))
                return True
            asked = hot.usual_poll(request.query)
            if asked is None:
                return False
            found = connection.park(self.mailboxes, caller.id, *asked)
            if found is not None:
                connection.answer(found)
        except errors.Problem as problem:
            connection.refuse(problem)
        return True

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
            self._close(connection)
            return
        connection.deadline = time.monotonic() + self.cfg.keepalive
        if connection.buffer:
            # Not from here: an answer may be sent in the middle of another connection's turn.
            self.method_queue.defer(self._serve, connection)

    # -- everything else: gunicorn's thread pool ---------------------------------------------------------------------------------

    def _hand_over(self, connection: Connection) -> None:
        """Give the connection to a thread, with what was read of it; gunicorn's own parser reads it again."""
        self._unwatch(connection)
        connection.busy, connection.deadline = True, None
        conn = TConn(self.cfg, connection.sock, connection.client, connection.server)
        conn.init()
        conn.parser.unreader.unread(connection.buffer)
        connection.buffer = b""
        future = self.tpool.submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self._take_back, connection, conn, done))

    def _take_back(self, connection: Connection, conn: TConn, done: Any) -> None:
        keep_alive = not done.cancelled() and done.exception() is None and done.result() is True
        if not keep_alive or not self.alive:
            connection.closed = True
            self.nr_conns -= 1
            conn.close(graceful=True)
            return
        connection.sock = conn.sock
        connection.sock.setblocking(False)
        connection.buffer = conn.parser.unreader.take_buffered()
        connection.busy = False
        connection.deadline = time.monotonic() + self.cfg.keepalive
        self._watch(connection)
        self._serve(connection)


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
