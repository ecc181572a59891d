"""Where everything of a demo site lies: one private directory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from healconsole.core.frozen import Frozen

GOOD_RELEASE = "5120"
BAD_RELEASE = "5121"

JOBS = "demo:jobs"
"""Redis list: the queue."""
DONE = "demo:done"
"""Redis counter: jobs done."""
BUSY = "demo:busy"
"""Redis key that each finished job sets for one second: the worker gets on."""
POISON = "poison"
"""The payload that makes a worker hang."""


class Site(Frozen):
    """Paths of one site, all below ``root``."""

    root: Path

    @property
    def state(self) -> Path:
        """State root of the healers."""
        return self.root / "state"

    @property
    def audit(self) -> Path:
        """The audit log."""
        return self.root / "log" / "audit.jsonl"

    @property
    def logs(self) -> Path:
        """What the processes of the site print."""
        return self.root / "log"

    @property
    def catalog(self) -> Path:
        """The catalog of the healers."""
        return self.root / "healers.d"

    @property
    def textfile(self) -> Path:
        """Textfile metrics."""
        return self.root / "textfile"

    @property
    def deploy(self) -> Path:
        """Releases, one directory each, and ``current``, which names one."""
        return self.root / "deploy"

    @property
    def cores(self) -> Path:
        """Where core files pile up."""
        return self.root / "cores"

    @property
    def mailq(self) -> Path:
        """Spool of the mail queue: one file a message."""
        return self.root / "mailq"

    @property
    def run(self) -> Path:
        """Pid files and the address of Redis."""
        return self.root / "run"

    @property
    def worker_pid(self) -> Path:
        """Pid of the queue worker."""
        return self.run / "worker.pid"

    @property
    def redis_url_file(self) -> Path:
        """Address of the site's Redis with its password; mode 0600."""
        return self.run / "redis-url"

    @property
    def unguarded_actions(self) -> Path:
        """One line for each action of the healer without guardrails."""
        return self.run / "unguarded-actions"

    @property
    def command_file(self) -> Path:
        """FIFO through which ``demo fix`` and the keys of the demo speak to the site."""
        return self.run / "commands"

    def answer(self, token: str) -> Path:
        """Where the site says what the repair asked for with ``token`` did."""
        return self.run / f"repaired-{token}"

    def make(self) -> None:
        """Create the directories and the two releases."""
        for path in (
            self.state, self.logs, self.catalog, self.textfile, self.deploy, self.cores,
            self.mailq, self.run,
        ):  # fmt: skip
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for release, pool in ((GOOD_RELEASE, 4), (BAD_RELEASE, 0)):
            folder = self.deploy / release
            folder.mkdir(exist_ok=True)
            (folder / "worker.conf").write_text(f"pool_size={pool}\n", encoding="ascii")
        self.select_release(GOOD_RELEASE)

    def release(self) -> str:
        """The release that a worker loads when it starts."""
        return (self.deploy / "current").read_text(encoding="ascii").strip()

    def select_release(self, release: str) -> None:
        """Deploy ``release``: workers that start from now on load it."""
        temporary = self.deploy / "current.new"
        temporary.write_text(release + "\n", encoding="ascii")
        temporary.replace(self.deploy / "current")


def pointer() -> Path:
    """The file that names this user's running demo, for ``demo fix`` and ``demo env``."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"healconsole-demo-{os.getuid()}"
