"""Keys in the order in which they were pressed, however many of them come at one time.

Textual hands a key to the widget in focus, and from there from parent to parent up to the app,
which only then does what it is bound to. A letter needs no more than the first of those steps:
behind a backspace, in one read from a link that lags, it would overtake it.
"""

from __future__ import annotations

import asyncio

from textual.events import Event, Key, Paste
from textual.widget import Widget

from healconsole.tui.failing import FailingApp
from healconsole.tui.widgets.cellview import CellView


class OrderedApp(FailingApp):
    """Has done with a key, or with pasted text, before it looks at the next one."""

    async def on_event(self, event: Event) -> None:
        """Take an event. One that was handed to a widget comes by again, on its way up."""
        if not isinstance(event, Key | Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        if isinstance(event, Key):
            self.app_focus = True  # gives the focus back to what had it
        focused = self.focused
        if isinstance(focused, CellView) or focused is None:  # it takes no letters
            if not await self._done_at_once(event, focused):
                await super().on_event(event)
            return
        if not _may_take(focused, event):
            # It learns that it is in focus by a message, and only then selects its text.
            await caught_up(focused)
            if await self._done_at_once(event, focused):
                return
        await super().on_event(event)
        await caught_up(focused)

    async def _done_at_once(self, event: Key | Paste, focused: Widget | None) -> bool:
        """Whether a key was bound to something that was then done.

        What that changed would go through three more queues until it is painted: lines of cells
        are painted now.
        """
        if (
            focused is None
            or not isinstance(event, Key)
            or event.key == "escape"  # Textual has its own uses for it
            or self.screen.maximized is not None
        ):
            return False
        for priority in (True, False):
            if await self._check_bindings(event.key, priority=priority):
                if isinstance(focused, CellView):
                    self.paint_at_once(focused)
                return True
        return False

    def paint_at_once(self, view: CellView) -> None:
        """Show what a key changed in these lines."""
        raise NotImplementedError


def _may_take(widget: Widget, event: Key | Paste) -> bool:
    """Whether a widget may take this for its text."""
    return isinstance(event, Paste) or widget.check_consume_key(event.key, event.character)


async def caught_up(widget: Widget) -> None:
    """Return when a widget has taken every message that it was sent before, or has ended."""
    task = widget._task
    taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    if task is not None and widget.call_later(taken.set_result, None):
        await asyncio.wait((taken, task), return_when=asyncio.FIRST_COMPLETED)
