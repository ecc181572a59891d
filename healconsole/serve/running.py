"""The server as a program: it listens, says where, and ends with its viewers."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final

from aiohttp import web

from healconsole.serve.gate import build_gate
from healconsole.serve.page import Asset
from healconsole.serve.server import SHUTDOWN_S, Console, Wall

ENDING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def listen(address: str, port: int) -> socket.socket:
    """A listening socket on an IP address; port 0 takes a free one.

    Raises:
        OSError: it cannot be had.
        ValueError: that is no IP address.
    """
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
    return socket.create_server((address, port), family=family)


def serve(
    listener: socket.socket,
    url: str,
    token: str,
    console: Console,
    assets: Mapping[str, Asset],
    log: Callable[[str], None],
    ready: Callable[[str], None],
) -> signal.Signals:
    """Serve until a signal says to end; which one.

    Args:
        listener: from ``listen``.
        url: by what browsers reach it, if not by its own address; empty if so.
        token: what lets in.
        console: what is shown.
        assets: the files that the page loads.
        log: takes one line on what happened, its data not yet displayable.
        ready: told the address of the page, without the token, when it can be opened.

    Raises:
        GateError: URL or token cannot be used.
    """
    address, port = listener.getsockname()[:2]
    gate = build_gate(address, port, url, token)
    wall = Wall(gate, console, assets, log)
    try:
        return asyncio.run(
            _serve(wall, listener, lambda: ready(f"{gate.scheme}://{gate.hosts[0]}/"))
        )
    finally:
        wall.kill()


async def _serve(wall: Wall, listener: socket.socket, ready: Callable[[], None]) -> signal.Signals:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[signal.Signals] = loop.create_future()

    def end(number: signal.Signals) -> None:
        if not ended.done():
            ended.set_result(number)

    for number in ENDING:
        loop.add_signal_handler(number, end, number)
    runner = web.AppRunner(
        wall.application(), access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        ready()
        return await ended
    finally:
        await runner.cleanup()
