"""A line on which connections break, as behind a proxy that cuts what takes long."""

import socket
import threading


class CuttingLine:
    """A proxy that cuts each connection after so many bytes, as often as it is told; which of both ways decides `way`."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.cuts_left, self.after_bytes, self.way = 0, 0, "up"
        self.cut = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            for way, source, sink in (("up", near, far), ("down", far, near)):
                threading.Thread(target=self._carry, args=(way, source, sink), daemon=True).start()

    def _carry(self, way: str, source: socket.socket, sink: socket.socket) -> None:
        carried = 0
        try:
            while data := source.recv(65_536):
                carried += len(data)
                if way == self.way and self.cuts_left > 0 and carried > self.after_bytes:
                    self.cuts_left -= 1
                    self.cut += 1
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        self._listener.close()
