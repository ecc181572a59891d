"""An application that ends with a report of what failed, and gives the terminal back."""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType
from textual._context import active_message_pump
from textual.app import App, ScreenStackError
from textual.css.query import NoMatches
from textual.dom import DOMNode, NoScreen
from textual.screen import Screen
from textual.worker import WorkerFailed, active_worker

from healconsole.tui import crash
from healconsole.tui.driver import ConsoleDriver

_NOT_THERE = (NoMatches, NoScreen, ScreenStackError)


class FailingApp(App[int]):
    """Tells a failure once, without the values of variables."""

    _failure: Exception | None = None

    def fail(self, error: BaseException) -> None:
        """End with the report of a failure, wherever it happened; called in the event loop."""
        self._handle_exception(error if isinstance(error, Exception) else SystemError(repr(error)))

    def leave_at_once(self) -> None:
        """Give the terminal back without waiting for anything; from any thread, and for good."""
        if isinstance(self._driver, ConsoleDriver):
            self._driver.leave_at_once()

    def _handle_exception(self, error: Exception) -> None:
        """Take the failure itself for what a worker wraps around it."""
        if isinstance(error, WorkerFailed) and isinstance(error.error, Exception):
            error = error.error
        if isinstance(error, _NOT_THERE) and self._is_of_a_left_screen():
            return
        if self._failure is None:
            self._failure = error
        super()._handle_exception(error)

    def is_whole(self, screen: Screen[Any]) -> bool:
        """Whether a screen has its widgets: neither being put up, nor left, nor ended with us."""
        alive = self.is_running and not self._exit
        return alive and screen.is_mounted and screen in self.screen_stack

    def _is_of_a_left_screen(self) -> bool:
        """Whether what failed belongs to a screen that is gone: it finds nothing to draw on."""
        worker = active_worker.get(None)
        node = active_message_pump.get(None) if worker is None else worker.node
        if self._exit or node is self or not isinstance(node, DOMNode):
            return self._exit
        owners = [owner for owner in node.ancestors_with_self if isinstance(owner, Screen)]
        return not owners or owners[0] not in self.screen_stack

    def panic(self, *renderables: RenderableType) -> None:
        """Report nothing but the failure; an error that draws itself may draw anything."""
        del renderables
        self._fatal_error()

    def _fatal_error(self) -> None:
        """Report a crash without the values of variables: they may hold secrets and data."""
        if not self._exit_renderables:
            self._exit_renderables.append(crash.report(self._failure or SystemError("unknown")))
        self._close_messages_no_wait()
