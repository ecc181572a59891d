"""A proxy in front of a real Redis that does to its connections what networks do."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Self
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Passes on what clients and server say, but for what it is told to do to it.

    ``fault`` is read for each piece of data: "" passes it on; ``drop`` loses a reply and closes;
    ``lose`` loses replies and says nothing; ``trickle`` hands a reply over a byte at a time;
    ``reset`` resets the connection at the first word. ``after`` lets so many replies pass before;
    ``once`` ends the fault with the first piece that it was done to.
    """

    def __init__(self, url: str, fault: str = "", after: int = 0) -> None:
        parts = urlsplit(url)
        self._upstream = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.fault = fault
        self.after = after
        self.once = False
        self.dropped = 0
        self._lock = threading.Lock()
        login = parts.netloc.rpartition("@")[0]
        place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = urlunsplit((parts.scheme, f"{login}@{place}", parts.path, "", ""))
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._upstream)
            except OSError:
                return
            self._open += [client, server]
            for source, sink, reply in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(source, sink, reply), daemon=True).start()

    def _due(self) -> str:
        """What is to be done to this piece."""
        with self._lock:
            if not self.fault or self.after > 0:
                self.after -= 1
                return ""
            self.dropped += 1
            fault = self.fault
            self.fault = "" if self.once else fault
            return fault

    def _pump(self, source: socket.socket, sink: socket.socket, reply: bool) -> None:
        try:
            while data := source.recv(65536):
                fault = self._due() if reply else ""
                if fault == "reset":
                    sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if fault in {"drop", "reset"}:
                    break
                if fault == "lose":
                    continue
                if fault == "trickle":
                    for byte in data:
                        sink.sendall(bytes([byte]))
                        time.sleep(0.3)  # the fault itself
                    continue
                sink.sendall(data)
        except OSError:
            pass
        for one in (sink, source):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            if reply:
                one.close()

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            one.close()
