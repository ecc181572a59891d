"""bash and Python on one state directory, the clock in a file that both read and acts move."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from healconsole import Guard, Policy
from healconsole.stores.layout import prepare
from tests.engine.sites import Site
from tests.mixed.pair import Answer, answer_of, limits_of
from tests.shell.bashes import DRIVER, ShellSite

Language = Literal["bash", "python"]
LANGUAGES: tuple[Language, Language] = ("bash", "python")

SERVER = r"""
_heal_clock() { IFS= read -r _heal_now <"$TEST_ROOT/clock"; _heal_ms=0; }
acting() {
  act
  [[ -z $ends ]] || printf '%s\n' "$ends" >"$TEST_ROOT/clock"
  return "$code"
}
exec 3>&1 1>&2
while IFS=$'\t' read -r dry ends code intent; do
  printf -v DRY_RUN '%b' "${dry#.}"
  ends=${ends#.}
  printf -v intent '%b' "$intent"
  heal_act_with_guardrails "$intent" acting good
  printf '%s\t%s\t%s\t%s\t%s\n' "$_heal_outcome" "$_heal_v_allow" "$_heal_v_guard" \
    "$_heal_v_earliest" "$_heal_v_reason" >&3
done
_heal_call _heal_denials_over
"""


def _escaped(text: str) -> str:
    """For ``printf %b``."""
    if text.isascii() and text.isprintable() and "\\" not in text and text.strip() == text != "":
        return text
    return "".join(f"\\x{byte:02x}" for byte in text.encode("utf-8", "surrogateescape"))


@dataclass
class Duo:
    """The two libraries on ``root``/h; each lives as long as a daemon would."""

    root: Path
    policy: Policy
    _server: subprocess.Popen[str] | None = field(default=None, repr=False)
    _guards: dict[str, Guard] = field(default_factory=dict, repr=False)

    @property
    def site(self) -> Site:
        return Site(self.root)

    @property
    def state(self) -> Path:
        return self.root / "h"

    @property
    def now(self) -> int:
        return int((self.root / "clock").read_text())

    @now.setter
    def now(self, now: int) -> None:
        (self.root / "clock").write_text(f"{now}\n")

    def act(
        self, by: Language, intent: str, *, code: int = 0, ends: int | None = None, dry: str = ""
    ) -> Answer:
        """A guarded act that leaves a byte, moves the clock to ``ends``, and ends with ``code``.

        ``dry`` is its ``DRY_RUN``.
        """
        if by == "bash":
            return self._act_in_bash(intent, code, ends, dry)

        def action() -> None:
            self.site.act()
            if ends is not None:
                self.now = ends
            if code:
                raise SystemExit(code)

        if dry not in self._guards:
            self._guards[dry] = Guard(
                "h",
                self.policy,
                state_dir=self.state,
                audit=self.root / "audit.jsonl",
                clock=lambda: float(self.now),
                host="host",
                dry_env=dry,
                log=lambda _text: None,
            ).__enter__()
        return answer_of(self._guards[dry].run(intent, action, lambda: True))

    def _act_in_bash(self, intent: str, code: int, ends: int | None, dry: str) -> Answer:
        if self._server is None:
            site = ShellSite(self.root, limits=tuple(limits_of(self.policy).items()))
            self._server = subprocess.Popen(
                ["bash", DRIVER, SERVER],
                env=site.environ,
                cwd=self.root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="surrogateescape",
            )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        moved = "" if ends is None else ends
        self._server.stdin.write(f".{_escaped(dry)}\t.{moved}\t{code}\t{_escaped(intent)}\n")
        self._server.stdin.flush()
        told = self._server.stdout.readline().rstrip("\n").split("\t")
        return Answer(told[0], told[1] == "1", *told[2:])

    def end(self) -> None:
        """Let both end, as daemons end."""
        if self._server is not None:
            self._server.communicate()
        for guard in self._guards.values():
            guard.close()


@contextmanager
def duo(root: Path, policy: Policy, now: int) -> Iterator[Duo]:
    """Both, on a state directory that is made for them."""
    prepare(root / "h", now)
    pair = Duo(root, policy)
    pair.now = now
    try:
        yield pair
    finally:
        pair.end()
