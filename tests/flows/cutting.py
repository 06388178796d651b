"""A line between a browser and the exchange that can be cut, in the middle of a request too."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Line:
    """Passes connections on to a port; when cut, it breaks those there are and takes no others."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_cut = False
        self._left: int | None = None  # bytes towards the server until it breaks by itself
        self.cuts = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        with self._lock:
            self._is_cut, self._left = True, None
            self.cuts += 1
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def cut_after(self, count: int) -> None:
        """Break by itself once so many further bytes have gone towards the server."""
        with self._lock:
            self._left = count

    def mend(self) -> None:
        with self._lock:
            self._is_cut = False

    def close(self) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._door.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._connect, args=(near,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _connect(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            if self._is_cut:
                return
            with socket.create_connection(("127.0.0.1", self._to), timeout=10) as far:
                with self._lock:
                    self._open |= {near, far}
                try:
                    self._pass_on(near, far)
                finally:
                    with self._lock:
                        self._open -= {near, far}

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        far.settimeout(None)
        while not self._is_cut:
            ready, _, _ = select.select([near, far], [], [], 1)
            for source in ready:
                data = source.recv(16384)
                if not data:
                    return
                if source is near and self._spends(len(data)):
                    self.cut()
                    return
                (far if source is near else near).sendall(data)

    def _spends(self, count: int) -> bool:
        with self._lock:
            if self._left is None:
                return False
            self._left -= count
            return self._left < 0


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    """Give a line to a port."""
    line = Line(port)
    try:
        yield line
    finally:
        line.close()
