"""A healer without code: a TOML file with four commands and the policy.

Each command is an argv, run without a shell. ``detect`` prints the fact; ``decide`` prints an
intent or nothing; ``act`` and ``verify`` succeed with exit code 0. The later three find the
fact in ``HEAL_FACT`` and each measurement in ``HEAL_FACT_<name>``; act and verify find the
intent in ``HEAL_INTENT``, its VERB in ``HEAL_VERB``, and each ``key=value`` of it in
``HEAL_INTENT_<key>``.
"""

from __future__ import annotations

import argparse
import os
import re
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from healconsole.core.cycle import policy_from_mapping
from healconsole.core.frozen import Frozen
from healconsole.core.records import DEFAULT_POLICY, Policy
from healconsole.core.scopes import is_healer_name
from healconsole.core.verdict import Intent
from healconsole.engine.execute import Action
from healconsole.engine.fact import Fact
from healconsole.engine.healer import Healer
from healconsole.engine.process import Command, Ended, run_command

COMMANDS = ("detect", "decide", "act", "verify")
_KEYS = frozenset({"name", "description", "interval", "environment", "policy", *COMMANDS})
_UNSAFE = re.compile(r"[^A-Za-z0-9_]")


class DeclarationError(ValueError):
    """The file does not declare a healer; the message names the file and the key."""


class Declaration(Frozen):
    """What a file declares."""

    name: str
    commands: Mapping[str, tuple[str, ...]]
    environment: Mapping[str, str]
    policy: Policy
    interval: float
    description: str = ""


def load(path: Path) -> DeclaredHealer:
    """The healer that ``path`` declares.

    Raises:
        DeclarationError: the file cannot be read, or does not declare one.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeclarationError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path}: {error}") from None
    return DeclaredHealer(declaration_from(table, str(path)))


def declaration_from(table: Mapping[str, Any], where: str) -> Declaration:
    """Check what a file says.

    Raises:
        DeclarationError: a key is unknown, missing, or has a value that cannot be used.
    """
    for key in table:
        if key not in _KEYS:
            raise DeclarationError(
                f"{where}: unknown key {key!r}; known are {', '.join(sorted(_KEYS))}"
            )
    name = table.get("name", "")
    if not isinstance(name, str) or not is_healer_name(name):
        raise DeclarationError(f"{where}: name must be the name of a healer, not {name!r}")
    interval = table.get("interval", Healer.interval)
    if type(interval) not in {int, float} or not 0.01 <= interval <= 86_400:
        raise DeclarationError(f"{where}: interval must be seconds, not {interval!r}")
    description = table.get("description", "")
    if not isinstance(description, str):
        raise DeclarationError(f"{where}: description must be a text, not {description!r}")
    return Declaration(
        name,
        {key: _argv(table.get(key), f"{where}: {key}") for key in COMMANDS},
        _environment(table.get("environment", {}), f"{where}: [environment]"),
        _policy(table.get("policy", {}), f"{where}: [policy]"),
        float(interval),
        description,
    )


def _argv(value: object, where: str) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(part, str) and "\0" not in part for part in value)
        or not value[0]
    ):
        raise DeclarationError(
            f'{where} must be a command and its arguments, such as ["systemctl", "restart", "x"]'
        )
    return tuple(value)


def _environment(value: object, where: str) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise DeclarationError(f"{where} must give each variable a text")
    return dict(value)


def _policy(value: object, where: str) -> Policy:
    if not isinstance(value, dict):
        raise DeclarationError(f"{where} must be a table")
    try:
        return policy_from_mapping(value, where) if value else DEFAULT_POLICY
    except ValueError as error:
        raise DeclarationError(str(error)) from None


class DeclaredHealer(Healer):
    """A healer whose four functions are commands."""

    def __init__(self, declaration: Declaration) -> None:
        super().__init__(declaration.name, policy=declaration.policy, interval=declaration.interval)
        self.declaration = declaration

    def detect(self) -> str:
        """What the command prints. Raises ``RuntimeError`` if it fails, which is a fact too."""
        return self._output("detect", {})

    def decide(self, fact: Fact) -> str:
        """The intent that the command prints for ``fact``, or nothing."""
        return self._output("decide", _fact_environment(fact))

    def action(self, intent: Intent, fact: Fact) -> Action:
        """The command ``act``."""
        return self._command("act", intent, fact)

    def check(self, intent: Intent, fact: Fact) -> Action:
        """The command ``verify``."""
        return self._command("verify", intent, fact)

    def _command(self, key: str, intent: Intent, fact: Fact) -> Command:
        added = {**_fact_environment(fact), **_intent_environment(intent)}
        return Command(
            self.declaration.commands[key], {**os.environ, **self.declaration.environment, **added}
        )

    def _output(self, key: str, added: Mapping[str, str]) -> str:
        ended: Ended = run_command(
            self.declaration.commands[key],
            self.policy.check_timeout,
            environ={**os.environ, **self.declaration.environment, **added},
        )
        if not ended.ok:
            said = " ".join(ended.errors.decode(errors="replace").split())[-300:]
            raise RuntimeError(": ".join(filter(None, (f"{key}: {ended.why}", said))))
        return ended.output.decode(errors="surrogateescape").rstrip("\n")


def _fact_environment(fact: Fact) -> dict[str, str]:
    found = {f"HEAL_FACT_{_UNSAFE.sub('_', name)}": _plain(text) for name, text in fact.items()}
    return {"HEAL_FACT": _plain(str(fact)), **found}


def _intent_environment(intent: Intent) -> dict[str, str]:
    verb, *rest = intent.text.split(" ")
    found = {"HEAL_INTENT": intent.text, "HEAL_VERB": verb}
    for part in rest:
        name, equals, value = part.partition("=")
        if name and equals:
            found[f"HEAL_INTENT_{_UNSAFE.sub('_', name)}"] = value
    return found


def _plain(text: str) -> str:
    """Without NUL, which no environment can hold."""
    return text.replace("\0", "")


def main(options: argparse.Namespace, clock: Callable[[], float] = time.time) -> int:
    """``healconsole heal FILE``; takes ``file``, ``once``, ``detect``, ``plan``, ``dry_run``
    and ``interval``, and returns the exit code.

    Raises:
        DeclarationError: the file does not declare a healer.
    """
    healer = load(options.file)
    argv = [
        f"--{name.replace('_', '-')}"
        for name in ("once", "detect", "plan", "dry_run")
        if getattr(options, name)
    ]
    if options.interval is not None:
        argv += ["--interval", str(options.interval)]
    return healer.main(argv, common_environment(options), clock)


def common_environment(options: argparse.Namespace) -> dict[str, str]:
    """The environment, with the common flags of the command line that were given."""
    environ = dict(os.environ)
    if getattr(options, "state_root", None):
        environ.pop("HEAL_STATE_DIR", None)
    for flag, variable in (
        ("state_root", "HEAL_STATE_ROOT"),
        ("audit", "HEAL_AUDIT_FILE"),
        ("redis", "HEAL_REDIS_URL"),
        ("textfile_dir", "HEAL_TEXTFILE_DIR"),
    ):
        if getattr(options, flag, None):
            environ[variable] = str(getattr(options, flag))
    return environ
