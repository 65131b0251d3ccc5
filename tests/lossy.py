"""A way on which datagrams are lost and late, as on a bad wireless network; the kernel here has no netem."""

import heapq
import itertools
import random
import selectors
import socket
import threading
import time


class LossyWay:
    """Media that come to `port` go on to `target`, and what target answers comes back.

    loss: share of the media packets (RFC 7983 section 7: first byte 128 to 191) to lose on the way there. jitter_s: each is late
    by up to so much, so that they overtake each other. Context manager.
    """

    def __init__(self, target: tuple[str, int], loss: float, jitter_s: float, seed: int = 1) -> None:
        self._target, self._loss, self._jitter_s = target, loss, jitter_s
        self._random = random.Random(seed)
        self._near, self._far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._near.bind((target[0], 0))
        self._far.bind((target[0], 0))
        self.port: int = self._near.getsockname()[1]
        self.lost = self.passed = 0
        self._waiting: list[tuple[float, int, bytes]] = []
        self._count = itertools.count()
        self._sender: tuple[str, int] | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "LossyWay":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._thread.join()
        self._near.close()
        self._far.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for one in (self._near, self._far):
                one.setblocking(False)
                selector.register(one, selectors.EVENT_READ)
            while not self._stopping:
                for key, _ in selector.select(self._patience_s()):
                    self._receive(key.fileobj)  # type: ignore[arg-type]
                self._send_due()

    def _patience_s(self) -> float:
        return 0.05 if not self._waiting else max(0.0, min(0.05, self._waiting[0][0] - time.monotonic()))

    def _receive(self, one: socket.socket) -> None:
        while True:
            try:
                data, sender = one.recvfrom(2048)
            except BlockingIOError:
                return
            if one is self._far:
                if self._sender is not None:
                    self._near.sendto(data, self._sender)
                continue
            self._sender = sender
            is_media = 128 <= data[0] <= 191
            if is_media and self._random.random() < self._loss:
                self.lost += 1
                continue
            self.passed += is_media
            late_s = self._random.uniform(0, self._jitter_s) if is_media else 0.0
            heapq.heappush(self._waiting, (time.monotonic() + late_s, next(self._count), data))

    def _send_due(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            self._far.sendto(heapq.heappop(self._waiting)[2], self._target)
