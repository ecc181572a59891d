"""One session of the console: it ends by its key, by a signal, or with the link, and tidily."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING, Final

from healconsole.cli.errors import DONE

if TYPE_CHECKING:
    from healconsole.tui.app import ConsoleApp

ENDING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

GRACE_S: Final = 5.0
"""How long an ending may take, for instance on a link that takes no more output.

A cycle that an operator started is not cut short by it: it runs in a session of its own, and
records its outcome itself.
"""


def show(app: ConsoleApp) -> int:
    """Run ``app`` on the terminal.

    Returns:
        0 after a quit; 128 + n if signal n ended it; 1 after a crash.
    """
    return asyncio.run(_show(app))


async def _show(app: ConsoleApp) -> int:
    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, _end, app, number)
    await app.run_async()
    return app.return_code or DONE


def _end(app: ConsoleApp, number: signal.Signals) -> None:
    code = 128 + number
    last_resort = threading.Timer(GRACE_S, os._exit, (code,))
    last_resort.daemon = True
    last_resort.start()
    app.exit(return_code=code)
