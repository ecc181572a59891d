"""A healer that a halt stops is not counted among those that are well."""

from __future__ import annotations

from dataclasses import replace

from healconsole.core.halt import HaltRecord
from healconsole.core.nagios import State, assess
from healconsole.core.snapshot import CatalogEntry, Snapshot, SourceHealth
from healconsole.core.view import DEFAULT_THRESHOLDS, counts, rows
from healconsole.core.words import SourceState
from healconsole.tui.board import Board
from tests.core.samples import NOW, breaker, healer

ASKS = CatalogEntry("queue", "/x", environment=(("HEAL_REDIS_URL", "redis://x"),))
OPEN = breaker("restart_worker", b"3 1763999852 3 600 open 1764000452\n")
HALT = HaltRecord(int(NOW), int(NOW) + 600, "ana", "deploy")
BEFORE = Snapshot(
    host="web1",
    healers=(
        healer("alone"),
        healer("queue", catalog=ASKS),
        healer("red", catalog=ASKS, breakers=(OPEN,)),
    ),
    redis_health=SourceHealth(SourceState.LIVE),
)
HALTED = replace(BEFORE, halt=HALT)


def test_the_halt_is_its_state_where_it_has_no_worse_one() -> None:
    found = {row.name: row for row in rows(HALTED, NOW)}
    assert (found["queue"].word, found["queue"].mode) == ("held", "HELD")
    assert found["queue"].problem == "fleet halted: deploy (ana)"
    assert (found["queue"].glyph, found["alone"].word) == ("!", "ok")
    assert (found["red"].word, found["red"].mode) == ("open", "HELD")
    assert "queue held: fleet halted: deploy (ana)" in assess(HALTED, NOW).line
    assert assess(replace(HALTED, healers=BEFORE.healers[:2]), NOW).state is State.WARNING


def test_a_halt_of_others_and_one_that_is_not_known_hold_nobody() -> None:
    db = replace(HALT, target="host:db*")
    silent = replace(HALTED, redis_health=SourceHealth(SourceState.UNKNOWN, "no answer"))
    for snapshot in (replace(BEFORE, halts=(db,)), silent):
        assert counts(rows(snapshot, NOW)) == {"open": 1, "ok": 2}
    on_db = replace(BEFORE, healers=(healer(catalog=ASKS, host="db1"),), halts=(db,), fleet=True)
    assert counts(rows(on_db, NOW)) == {"held": 1}


def test_the_board_follows_a_halt_though_no_healer_changes() -> None:
    board = Board(DEFAULT_THRESHOLDS)
    board.take(BEFORE, NOW)
    assert board.counts == {"open": 1, "ok": 2}
    board.take(HALTED, NOW)
    assert board.counts == {"open": 1, "held": 1, "ok": 1}
    board.freshen((), NOW + 600)
    assert "held" not in board.counts
