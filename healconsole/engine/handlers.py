"""``signal.signal`` and ``signal.getsignal`` of CPython, without their detour.

The library's own look each handler up in an enumeration, by way of an exception where it is a
function: 4 microseconds of the half that a handler is set for an act, and pages that a child
touches for nothing else. Here handlers that are no functions are plain numbers.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

DEFAULT = int(signal.SIG_DFL)
"""What a signal does to a process that sets no handler."""

Handler = Callable[[int, FrameType | None], Any] | int | None

if TYPE_CHECKING:

    def handle(number: int, handler: Handler, /) -> Handler:
        """Set the handler of a signal; returns the one that it had."""

    def handler_of(number: int, /) -> Handler:
        """The handler of a signal; None if it was not set from Python."""

else:
    try:
        from _signal import getsignal as handler_of
        from _signal import signal as handle
    except ImportError:  # not CPython
        handle, handler_of = signal.signal, signal.getsignal
