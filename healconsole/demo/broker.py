"""A message broker that answers PING on a loopback port, until SIGUSR1 makes it hang for good."""

from __future__ import annotations

import os
import signal
import socketserver
import sys
import threading
from pathlib import Path

from healconsole.demo.layout import Site

_stuck = threading.Event()


class _Ping(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        if _stuck.is_set():
            threading.Event().wait()
        if self.rfile.readline(64).strip() == b"PING":
            self.wfile.write(b"PONG\n")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def main(root: str) -> None:
    """Serve until killed; the port is in ``run/broker.port``."""
    site = Site(Path(root))
    signal.signal(signal.SIGUSR1, lambda *_: _stuck.set())
    with _Server(("127.0.0.1", 0), _Ping) as server:
        for name, value in (("broker.pid", os.getpid()), ("broker.port", server.server_address[1])):
            temporary = site.run / f"{name}.new"
            temporary.write_text(f"{value}\n", encoding="ascii")
            temporary.replace(site.run / name)
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
