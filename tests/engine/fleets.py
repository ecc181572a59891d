"""Hosts of one fleet, in bash and in Python, on one Redis."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from healconsole import Policy
from healconsole.core.fields import format_micro
from healconsole.engine.process import Command
from tests.engine.sites import OPEN_POLICY, Site
from tests.shell.bashes import ShellSite

BASH, PYTHON = "bash", "python"
LIBRARIES = (BASH, PYTHON)


def environment(policy: Policy) -> dict[str, str]:
    """The limits as heal.sh takes them."""
    found: dict[str, object] = {
        "HEAL_RATE": format_micro(policy.rate_micro),
        "HEAL_BURST": policy.burst,
        "HEAL_CB_MAX": policy.max_failures,
        "HEAL_SETTLE": policy.settle,
        "HEAL_ACTION_TIMEOUT": policy.action_timeout,
        "HEAL_FLEET_LOCK": policy.fleet_lock,
        "HEAL_FLEET_LOCK_TTL": policy.fleet_lock_ttl,
        "HEAL_FLEET_RATE": None
        if policy.fleet_rate_micro is None
        else format_micro(policy.fleet_rate_micro),
        "HEAL_FLEET_BURST": policy.fleet_burst,
        "HEAL_FLEET_SLOTS": policy.fleet_slots,
        "HEAL_FLEET_SLOTS_MAX": policy.fleet_slots_max,
        "HEAL_FLEET_STORM": policy.fleet_storm,
        "HEAL_FLEET_STORM_WINDOW": policy.fleet_storm_window,
        "HEAL_REDIS_UNREACHABLE": policy.redis_unreachable,
        "HEAL_STAGE": policy.stage,
        "HEAL_CANARIES": policy.canaries,
    }
    return {name: str(value) for name, value in found.items() if value not in {None, ""}}


@dataclass(frozen=True)
class Host:
    """One host of a fleet: a state directory, a log, and a library."""

    name: str
    library: str
    root: Path
    redis: str

    def act(
        self,
        policy: Policy = OPEN_POLICY,
        intent: str = "fix",
        script: str = "act",
        trigger: str = "guard",
    ) -> tuple[str, str]:
        """One guarded act; outcome and reason. ``script`` is for sh, run with ``TEST_ROOT``."""
        if self.library == BASH:
            return self._bash(policy, intent, script, trigger)
        site = Site(self.root)
        guard = site.guard(policy, redis=self.redis, host=self.name, log=lambda _: None)
        try:
            environ = {**os.environ, "TEST_ROOT": str(self.root)}
            action = Command(("sh", "-c", SHELL + script), environ)
            if script == "act":
                result = guard.run(intent, site.act, trigger=trigger)
            else:
                result = guard.run(intent, action, trigger=trigger)
        finally:
            guard.close()
        return str(result.outcome), result.verdict.reason

    def _bash(self, policy: Policy, intent: str, script: str, trigger: str) -> tuple[str, str]:
        limits = tuple(environment(policy).items())
        site = ShellSite(self.root, limits=limits)
        done = site.run(
            f"action() {{ {script}; }}\n"
            'heal_act_with_guardrails "$INTENT" action good\n'
            'printf "%s\\n%s" "$_heal_outcome" "$_heal_v_reason"',
            INTENT=intent,
            HEAL_HOST=self.name,
            HEAL_REDIS_URL=self.redis,
            HEAL_TRIGGER=trigger,
        )
        outcome, _, reason = done.stdout.partition("\n")
        assert done.returncode == 0, done.stderr
        return outcome, reason

    def events(self, outcome: str = "") -> list[dict[str, object]]:
        """Its audit log."""
        return Site(self.root).events(outcome)


SHELL = 'mark() { printf . >>"$TEST_ROOT/$1"; }\n'

MakeHost = Callable[..., Host]
