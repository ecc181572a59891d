"""One look at everything, for a command without a screen; loads nothing that it does not need."""

from __future__ import annotations

from collections.abc import Callable

from healconsole.core.snapshot import Snapshot
from healconsole.stores.picture import SILENT, FleetNews, Picture, Sources


def read_once(
    sources: Sources,
    clock: Callable[[], float],
    *,
    markers_for: str | None = None,
    tail_lines: int = 500,
) -> Snapshot:
    """Look at everything once, for a command without a screen. Takes 2 s at most for Redis.

    Args:
        sources: where things are.
        clock: epoch seconds.
        markers_for: the healer whose markers are read.
        tail_lines: how many lines of the audit log to have, at most 500.
    """
    asked = _Asked(sources.redis, clock) if sources.redis is not None else None
    picture = Picture(sources)
    picture.looked_at = markers_for
    picture.read_tail()
    picture.fill_tail(tail_lines)
    picture.read_catalog()
    picture.read_heartbeats()
    picture.read_requests(clock())
    for name in sorted(picture.list_healers()):
        picture.read_healer(name)
    while picture.look_back():
        pass
    if asked is not None:
        picture.take_fleet(asked.answer(2.0))
    picture.close()
    return picture.snapshot(clock())


class _Asked:
    """Redis, asked in a thread of its own."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        from queue import SimpleQueue

        from healconsole.stores.fleetpoll import FleetPoll

        self._answers: SimpleQueue[FleetNews] = SimpleQueue()
        self._fleet = FleetPoll(url, clock, self._answers.put, push=False)
        self._fleet.start()

    def answer(self, seconds: float) -> FleetNews:
        """What it says within ``seconds``; it is not asked again."""
        from queue import Empty

        try:
            return self._answers.get(timeout=seconds)
        except Empty:
            return SILENT
        finally:
            self._fleet.stop()
