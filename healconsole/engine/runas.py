"""In whose name, and in which environment, the console starts a healer's command."""

from __future__ import annotations

import os
import pwd

from healconsole.core.plan import ActRefused
from healconsole.core.snapshot import CatalogEntry
from healconsole.engine.process import Account

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KEPT = ("TZ", "LANG", "LC_ALL")
"""What a clean environment keeps of ours: the log's times and texts depend on it."""


def account_for(entry: CatalogEntry) -> Account | None:
    """The account that ``entry`` names; None if it is the caller's own, or none is named.

    Raises:
        ActRefused: there is no such user, or only root could become it.
    """
    if not entry.user:
        return None
    try:
        found = pwd.getpwnam(entry.user)
    except KeyError:
        raise ActRefused(f"{entry.path}: there is no user {entry.user!r} on this host") from None
    if found.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise ActRefused(f"{entry.name} runs as {entry.user}; run this as root or as {entry.user}")
    groups = tuple(os.getgrouplist(found.pw_name, found.pw_gid))
    return Account(found.pw_name, found.pw_uid, found.pw_gid, groups, found.pw_dir)


def clean_environment(account: Account | None) -> dict[str, str]:
    """What a service manager would give, and nothing of the operator's own."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    if account is None:
        try:
            found = pwd.getpwuid(os.geteuid())
        except KeyError:  # a container's user that has no entry
            return {"PATH": PATH, "HOME": "/", **kept}
        return {"PATH": PATH, "HOME": found.pw_dir, "USER": found.pw_name, **kept}
    return {"PATH": PATH, "HOME": account.home, "USER": account.name, **kept}
