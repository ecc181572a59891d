"""What the fleet's guardrails ask Redis, in one round trip, and the steps they take there."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from healconsole.core.frozen import Frozen
from healconsole.core.halt import parse_halt, parse_halts, stopped
from healconsole.core.records import MICRO, Corrupt, Policy
from healconsole.core.storm import (
    LIVE_S,
    StormRecord,
    format_storm,
    is_storm,
    parse_limit,
    parse_storm,
)
from healconsole.core.verdict import FleetState
from healconsole.stores.redisclient import RedisUnknown
from healconsole.stores.redislink import (
    ALIVE,
    HALT,
    HALTS,
    LOCK,
    SLOT_FENCE,
    SLOTS,
    STORMS,
    TOKENS,
    WANT,
    RedisLink,
    lua,
    raw,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.client import Pipeline

_SLOTS: Final = re.compile(r"(0|[1-9][0-9]{0,8}) (0|[1-9][0-9]{0,14})")


class Asker(Frozen):
    """Who asks: a healer on a host, with its limits, for a scope."""

    healer: str
    host: str
    policy: Policy
    scope: str


class FleetLink:
    """The guardrails' side of one Redis; :class:`RedisLink` says how it fails."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def state(
        self,
        asker: Asker,
        now: float,
        *,
        wanting: bool = False,
        leased: bool = False,
        halts: bool = True,
    ) -> FleetState:
        """What a verdict needs to know of the fleet. Never raises: unknown is a state.

        Args:
            asker: whose verdict.
            now: epoch seconds; ends of stops are compared with it.
            wanting: it is about to act, and counts for the storm brake.
            leased: lock and slot are its own already, and not asked for.
            halts: whether stops count: they do not hold an operator's own act.
        """
        questions = _Questions(self._link, asker, wanting=wanting, leased=leased)
        try:
            return self._judged(asker, questions, self._ask(questions), now, halts=halts)
        except RedisUnknown as error:
            return FleetState(unknown=error.why)

    def check_in(self, asker: Asker) -> None:
        """Count this host among the live ones, where the storm brake goes by them.

        Raises:
            RedisUnknown: it may not be counted.
        """
        self._link.run("recent", (ALIVE,), asker.host, _live_ms(asker.policy))

    def take_token(self, asker: Asker) -> int:
        """Take a token of the fleet bucket of the scope, if there is one.

        Returns:
            The micro-tokens that were there; from one token on, one was taken.

        Raises:
            RedisUnknown: nothing is known, or the bucket is corrupt. One may have been taken.
        """
        return self._token(asker, MICRO)

    def give_token_back(self, asker: Asker) -> None:
        """Give back the token of an act that did not start.

        Raises:
            RedisUnknown: it may stay spent.
        """
        self._token(asker, -MICRO)

    def take_slot(self, group: str, owner: str, ttl_ms: int, most: int) -> int | None:
        """Take one of ``most`` slots; return its fencing number, or None if all are taken.

        A reply that was lost is asked for again: the script knows its owner.

        Raises:
            RedisUnknown: it may or may not be ours: do not act.
        """
        keys = self._link.pair(group, SLOTS, SLOT_FENCE)
        try:
            return self._link.run("slots", keys, "take", owner, ttl_ms, most)
        except RedisUnknown as lost:
            if not lost.unanswered:
                raise
            return self._link.run("slots", keys, "take", owner, ttl_ms, most)

    def renew_slot(self, group: str, owner: str, ttl_ms: int) -> bool:
        """Prolong a slot; return whether ``owner`` still holds it.

        Raises:
            RedisUnknown: nothing is known; the lease goes on to run out.
        """
        return bool(self._link.run("slot_renew", self._link.pair(group, SLOTS), owner, ttl_ms))

    def release_slot(self, group: str, owner: str) -> bool:
        """Give a slot back; return whether ``owner`` had it.

        Raises:
            RedisUnknown: nothing is known; the lease goes on to run out.
        """
        return bool(self._link.run("slot_release", self._link.pair(group, SLOTS), owner))

    def _token(self, asker: Asker, want: int) -> int:
        policy = asker.policy
        rate = policy.fleet_rate_micro or 0
        there = self._link.run("tokens", (TOKENS + asker.scope,), rate, policy.fleet_burst, want)
        return there or 0

    def _ask(self, questions: _Questions) -> list[Any]:
        def ask(client: Any) -> list[Any]:  # noqa: ANN401 - a client of one server, or of a cluster
            with client.pipeline(transaction=False) as pipe:
                for _, put in questions.all:
                    put(pipe)
                # redis-py's own error of a pipeline quotes the whole command.
                replies: list[Any] = pipe.execute(raise_on_error=False)
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
            return replies

        return self._link.ask(ask)

    def _judged(
        self,
        asker: Asker,
        questions: _Questions,
        replies: list[Any],
        now: float,
        *,
        halts: bool,
    ) -> FleetState:
        said = {name: reply for (name, _), reply in zip(questions.all, replies, strict=True)}
        stop = None
        if halts:
            fleet = said["halt"]
            listed = parse_halts(text(said["halts"])) if said["halts"] is not None else ()
            whole = parse_halt(text(fleet)) if fleet is not None else None
            stop = stopped((whole, *listed), asker.healer, asker.host, now)
        holder, left = said.get("holder"), said.get("left", -2)
        taken, ends = _slots(said.get("slots"))
        return FleetState(
            halted=stop.why if stop else "",
            halt_of=stop.what if stop else "fleet",
            halt_until=stop.until if stop else 0,
            lock_holder=text(holder) if holder is not None and left != -2 else "",
            lock_ttl=left / 1000 if left >= 0 else None,
            slots_taken=taken,
            slots_ttl=ends,
            storm=self._storm(asker, said, now),
            tokens_micro=int(said["tokens"]) if "tokens" in said else None,
        )

    def _storm(
        self, asker: Asker, said: dict[str, Any], now: float
    ) -> StormRecord | Corrupt | None:
        """The storm that there is, or that this host's wish has just made."""
        if said["storm"] is not None:
            return parse_storm(text(said["storm"]), asker.scope)
        if "wanting" not in said or asker.policy.fleet_storm is None:
            return None
        wanting = int(said["wanting"])
        if not is_storm(parse_limit(asker.policy.fleet_storm), wanting, int(said["live"])):
            return None
        storm = StormRecord(math.floor(now), wanting, asker.policy.fleet_storm_window)
        scope = raw(asker.scope)
        self._link.ask(lambda client: client.hsetnx(STORMS, scope, format_storm(storm)))
        return storm


class _Questions:
    """What is asked, in order, each by its name."""

    def __init__(self, link: RedisLink, asker: Asker, *, wanting: bool, leased: bool) -> None:
        self.all: list[tuple[str, Callable[[Pipeline], object]]] = []
        policy, scope = asker.policy, asker.scope
        self._get("halt", HALT)
        self._run("halts", "halts", HALTS)
        self.all.append(("storm", lambda pipe: pipe.hget(STORMS, raw(scope))))
        if wanting and policy.fleet_storm is not None:
            window = policy.fleet_storm_window * 1000
            self._run("live", "recent", ALIVE, asker.host, _live_ms(policy))
            self._run("wanting", "recent", WANT + scope, asker.host, window)
        if policy.fleet_rate_micro is not None:
            bucket = TOKENS + scope
            self._run("tokens", "tokens", bucket, policy.fleet_rate_micro, policy.fleet_burst, 0)
        if leased:
            return
        if policy.fleet_lock is not None:
            [lock] = link.pair(policy.fleet_lock, LOCK)
            self._get("holder", lock)
            self.all.append(("left", lambda pipe: pipe.pttl(raw(lock))))
        if policy.fleet_slots is not None:
            [slots] = link.pair(policy.fleet_slots, SLOTS)
            self._run("slots", "slots", slots, "look")

    def _get(self, name: str, key: str) -> None:
        self.all.append((name, lambda pipe: pipe.get(raw(key))))

    def _run(self, name: str, script: str, key: str, *args: str | int) -> None:
        words = [raw(arg) if isinstance(arg, str) else arg for arg in args]
        # Not pipe.eval, which redis-py refuses in a Cluster.
        command: Any = ("EVAL", lua(script), 1, raw(key), *words)
        self.all.append((name, lambda pipe: _put(pipe, command)))


def _put(pipe: Any, command: Any) -> None:  # noqa: ANN401 - redis-py leaves this untyped
    pipe.execute_command(*command)


def _live_ms(policy: Policy) -> int:
    return max(LIVE_S, policy.fleet_storm_window) * 1000


def _slots(reply: bytes | None) -> tuple[int | None, float]:
    if reply is None:
        return None, 0.0
    found = _SLOTS.fullmatch(text(reply))
    if found is None:
        raise RedisUnknown("the answer on the slots does not match its format")
    return int(found[1]), int(found[2]) / 1000
