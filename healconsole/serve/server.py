"""The HTTP side: the gate in front of everything, the page, and a socket for each viewer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from healconsole.core.frozen import Frozen
from healconsole.serve import wire
from healconsole.serve.gate import Gate
from healconsole.serve.page import Asset, headers, page
from healconsole.serve.refusals import Refusals
from healconsole.serve.viewer import Viewer

MESSAGE_LIMIT: Final = 1 << 20
"""Most bytes of one message of a browser; what somebody pastes is one, and is dropped."""
HEARTBEAT_S: Final = 15.0
"""How often a browser is asked for a sign of life; one that sleeps leaves its seat."""
GOODBYE_S: Final = 2.0
"""How long a browser may take to answer a goodbye."""
SHUTDOWN_S: Final = 6.0
"""How long all of them, and their consoles, may take to end."""
DEFAULT_WINDOW: Final = wire.Size(120, 40)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Console(Frozen):
    """How the console of a viewer is started, and on how many at once."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    title: str
    seats: int


class Wall:
    """The wall's web application.

    Args:
        gate: who may look.
        console: what they look at.
        assets: the files that the page loads, by name.
        log: takes one line on what happened; data in it is not yet displayable.
    """

    def __init__(
        self,
        gate: Gate,
        console: Console,
        assets: Mapping[str, Asset],
        log: Callable[[str], None],
    ) -> None:
        self._gate = gate
        self._console = console
        self._assets = assets
        self._log = log
        self._refusals = Refusals(log)
        self._sockets: set[web.WebSocketResponse] = set()
        self._viewers: set[Viewer] = set()

    def application(self) -> web.Application:
        """The application, to be served by a runner."""

        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guarded(request, handler)

        app = web.Application(middlewares=[web.middleware(guarded)])
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/seat", self._seat),
                web.get("/static/{name}", self._asset),
                web.get("/ws", self._watch),
            ]
        )
        app.on_shutdown.append(self._close)
        return app

    def kill(self) -> None:
        """End every console that is left."""
        for viewer in self._viewers:
            viewer.kill()

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get("Host", "")
        if not self._gate.host(host):
            # Before anything is answered that a page under a rebound name could read.
            return self._refused(
                request,
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this server answers to {' and '.join(self._gate.hosts)} only; see --url",
            )
        try:
            response = self._unwelcome(request, host) or await handler(request)
        except web.HTTPException as error:
            response = web.Response(status=error.status, text=f"{error.reason}\n")
        if not response.prepared:
            response.headers.update(headers(self._socket_origin(host)))
        return response

    def _unwelcome(self, request: web.Request, host: str) -> web.StreamResponse | None:
        origin = request.headers.get("Origin")
        if not self._gate.origin(origin, host):
            return self._refused(
                request, HTTPStatus.FORBIDDEN, "this request comes from another page"
            )
        if request.path == "/" and "token" in request.query:
            if not self._gate.has_token(request.query["token"]):
                return self._refused(request, HTTPStatus.UNAUTHORIZED, "that is not the token")
            return self._admitted()
        if not self._gate.has_cookie(request.cookies.get(self._gate.cookie)):
            return self._refused(
                request,
                HTTPStatus.UNAUTHORIZED,
                "open the link that healconsole serve printed, with its token",
            )
        return None

    def _admitted(self) -> web.Response:
        """To the page without the token in its address: a cookie stands for it from now on."""
        answer = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/"})
        answer.set_cookie(
            self._gate.cookie,
            self._gate.cookie_value,
            httponly=True,
            secure=self._gate.scheme == "https",
            samesite="Lax",
            path="/",
        )
        return answer

    def _refused(self, request: web.Request, status: HTTPStatus, why: str) -> web.Response:
        what = f"{request.remote}, {request.method} {request.path}: {why}"
        self._refusals.tell(what, asyncio.get_running_loop().time())
        return web.Response(status=status, text=f"{why}\n")

    async def _page(self, request: web.Request) -> web.Response:
        if request.query_string:  # such as ?ping=URL, which the terminal's script would fetch
            return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/"})
        socket_url = f"{self._socket_origin(request.headers['Host'])}/ws"
        return web.Response(text=page(socket_url, self._console.title), content_type="text/html")

    async def _seat(self, _request: web.Request) -> web.Response:
        free = len(self._sockets) < self._console.seats
        return web.Response(
            status=HTTPStatus.NO_CONTENT if free else HTTPStatus.SERVICE_UNAVAILABLE
        )

    async def _asset(self, request: web.Request) -> web.Response:
        asset = self._assets.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        return web.Response(body=asset.body, headers={"Content-Type": asset.content_type})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        if "Origin" not in request.headers:  # every browser says it of a socket
            return self._refused(request, HTTPStatus.FORBIDDEN, "a socket needs an Origin")
        if len(self._sockets) >= self._console.seats:
            return self._refused(
                request,
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"all {self._console.seats} seats are taken; see --seats",
            )
        socket = web.WebSocketResponse(
            timeout=GOODBYE_S, heartbeat=HEARTBEAT_S, max_msg_size=MESSAGE_LIMIT
        )
        self._sockets.add(socket)  # before the first await: two cannot take one seat
        try:
            await socket.prepare(request)
            window = wire.size(request.query.get("width"), request.query.get("height"))
            await self._show(socket, window or DEFAULT_WINDOW, str(request.remote))
        finally:
            self._sockets.discard(socket)
        return socket

    async def _show(self, socket: web.WebSocketResponse, window: wire.Size, who: str) -> None:
        try:
            viewer = Viewer.start(self._console.argv, self._console.environment, window)
        except OSError as error:
            self._log(f"no console for {who}: {error.strerror}")
            await socket.close(code=WSCloseCode.INTERNAL_ERROR)
            return
        self._viewers.add(viewer)
        self._log(f"{who} watches, {len(self._viewers)} of {self._console.seats}")
        pump = asyncio.create_task(_pump(viewer, socket))
        try:
            await _listen(viewer, socket)
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump
            await viewer.end()
            self._viewers.discard(viewer)
            self._log(f"{who} left, {len(self._viewers)} of {self._console.seats}")

    async def _close(self, _app: web.Application) -> None:
        goodbyes = [
            socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server ends")
            for socket in self._sockets
        ]
        await asyncio.gather(*goodbyes, return_exceptions=True)

    def _socket_origin(self, host: str) -> str:
        return f"{'wss' if self._gate.scheme == 'https' else 'ws'}://{host.lower()}"


async def _pump(viewer: Viewer, socket: web.WebSocketResponse) -> None:
    """From the console to the browser; ends with either."""
    with suppress(ConnectionError):
        while chunk := await viewer.output():
            await socket.send_bytes(chunk)
    await socket.close()


async def _listen(viewer: Viewer, socket: web.WebSocketResponse) -> None:
    """From the browser: the size of its window, and nothing else."""
    async for message in socket:
        said = wire.read(message.data) if message.type is WSMsgType.TEXT else None
        if isinstance(said, wire.Size):
            viewer.resize(said)
        elif isinstance(said, wire.Ping):
            with suppress(ConnectionError):
                await socket.send_str(wire.pong(said))
