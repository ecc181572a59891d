"""What ``healconsole init`` writes for a healer: its files, their templates, and their values.

A template is text in which ``@WORD@`` stands for a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from healconsole.core.frozen import Frozen
from healconsole.core.scopes import is_healer_name

LANGUAGES: Final = ("bash", "python", "toml")

_PLACE: Final = re.compile(r"@([A-Z][A-Z_]*)@")
_PATH: Final = re.compile(r"/[A-Za-z0-9._/+-]*")
_URL: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~:/?&=+,;!()*-]*)?")
_OWNER: Final = re.compile(r"[A-Za-z0-9._@+-]{1,64}")


class KitError(ValueError):
    """The kit cannot be made of these values; the message names the value and what it takes."""


class KitFile(Frozen):
    """One file: its path below the kit's directory, its template, and its permission bits."""

    path: str
    template: str
    mode: int = 0o644


class Kit(Frozen):
    """A healer that is to be made. Paths are absolute, and of the host that will run it."""

    name: str
    language: str
    state_root: str
    audit: str
    textfile_dir: str
    catalog: str
    prefix: str
    """Below it, in ``lib/heal``, is the healer."""
    bin: str
    """Directory of the program ``healconsole``."""
    python: str
    """An interpreter that has the package healconsole."""
    owner: str
    runbook: str
    user: str = "heal"

    @property
    def module(self) -> str:
        """Name of the healer's module in Python; no keyword, and none of the standard library."""
        plain = re.sub(r"[^A-Za-z0-9]", "_", self.name)
        return plain if "_" in plain and not plain[0].isdigit() else f"healer_{plain}"

    @property
    def program(self) -> str:
        """File name of the healer."""
        if self.language == "python":
            return f"{self.module}.py"
        return f"{self.name}.{'sh' if self.language == 'bash' else 'toml'}"

    @property
    def test(self) -> str:
        """File name of its test."""
        return f"test_{self.module}.{'py' if self.language == 'python' else 'sh'}"


def checked(kit: Kit) -> Kit:
    """The kit, if each of its values can stand in a unit, a shell, TOML and YAML without quotes.

    Raises:
        KitError: one of them cannot.
    """
    if not is_healer_name(kit.name):
        raise KitError(
            f"{kit.name!r} is no name for a healer: letters, digits, '.', '_' and '-', at most 64, "
            "the first a letter or a digit"
        )
    if kit.language not in LANGUAGES:
        raise KitError(f"{kit.language!r} is none of {', '.join(LANGUAGES)}")
    for what, path in (
        ("--state-root", kit.state_root),
        ("--audit", kit.audit),
        ("--textfile-dir", kit.textfile_dir),
        ("--catalog", kit.catalog),
        ("--prefix", kit.prefix),
        ("the directory of healconsole", kit.bin),
        ("the Python interpreter", kit.python),
    ):
        if not _PATH.fullmatch(path) or ".." in path.split("/"):
            raise KitError(
                f"{what} must be an absolute path of letters, digits and . _ + - /, not {path!r}"
            )
    if not _OWNER.fullmatch(kit.owner):
        raise KitError(f"--owner must be one word, such as team-queues, not {kit.owner!r}")
    if not _URL.fullmatch(kit.runbook):
        raise KitError(f"--runbook must be an http or https address, not {kit.runbook!r}")
    return kit


def kit_files(kit: Kit) -> tuple[KitFile, ...]:
    """Every file of the kit."""
    name = kit.name
    healer, test = {
        "bash": ("healer.sh", "healer_test.sh"),
        "python": ("healer.py", "healer_test.py"),
        "toml": ("healer.toml", "declared_test.sh"),
    }[kit.language]
    return (
        KitFile(kit.program, healer, _program_mode(kit)),
        KitFile(kit.test, test, 0o644 if kit.language == "python" else 0o755),
        KitFile("README.md", "readme.md"),
        KitFile("install.sh", "install.sh", 0o755),
        KitFile(f"systemd/{name}.service", "unit.service"),
        KitFile("sysusers.d/heal.conf", "sysusers.conf"),
        KitFile(f"tmpfiles.d/heal-{name}.conf", "tmpfiles.conf"),
        KitFile("logrotate.d/heal", "logrotate"),
        # sudo refuses what others than root may read or write.
        KitFile(f"sudoers.d/heal-{sudoers_word(name)}", "sudoers", 0o440),
        KitFile(f"healers.d/{name}.toml", "catalog.toml"),
        KitFile(f"prometheus/heal-{name}.yml", "rules.yml"),
        KitFile(f"prometheus/heal-{name}.test.yml", "rules_test.yml"),
        KitFile(f"grafana/heal-{name}.json", "dashboard.json"),
    )


def sudoers_word(name: str) -> str:
    """A healer's name as a file of ``sudoers.d``: sudo passes over names with a dot.

    >>> sudoers_word("queue.v2")
    'queue_v2'
    """
    return name.replace(".", "_")


def filled(template: str, kit: Kit) -> str:
    """A template with the values of ``kit`` in it.

    Raises:
        KeyError: it has a place for which there is no value.
    """
    values = _values(kit)
    return _PLACE.sub(lambda found: values[found[1]], template)


def _program_mode(kit: Kit) -> int:
    return 0o644 if kit.language == "toml" else 0o755


def _values(kit: Kit) -> Mapping[str, str]:
    program = f"{kit.prefix}/lib/heal/{kit.program}"
    start = {
        "bash": [program],
        "python": [kit.python, program],
        "toml": [f"{kit.bin}/healconsole", "heal", program],
    }[kit.language]
    test = kit.test.removesuffix(".py")
    log_dir = kit.audit.rpartition("/")[0] or "/"
    state_dir = f"{kit.state_root}/{kit.name}"
    word = re.sub(r"[^A-Z0-9]", "_", kit.name.upper())
    return {
        "NAME": kit.name,
        "NAME_PATTERN": kit.name.replace(".", r"\."),
        "SUDOERS_WORD": sudoers_word(kit.name),
        "UID": word.lower()[:32],
        "ALIAS": f"HEAL_{word}",
        "CLASS": "".join(part.capitalize() for part in kit.module.split("_") if part),
        "MODULE": kit.module,
        "FILE": kit.program,
        "TEST": kit.test,
        "TEST_MODULE": test,
        "TEST_COMMAND": f"{kit.python} -m unittest {test}"
        if kit.language == "python"
        else f"./{kit.test}",
        "PROGRAM": program,
        "MODE": f"{_program_mode(kit):04o}",
        "EXEC_START": " ".join(start),
        "COMMAND": "[" + ", ".join(f'"{part}"' for part in [*start, "--once"]) + "]",
        "NOTIFY_ACCESS": _notify_access(kit.language),
        "DIRECTORIES": _directories(state_dir, log_dir),
        "PATH": f"{kit.bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "STATE_ROOT": kit.state_root,
        "STATE_DIR": state_dir,
        "AUDIT": kit.audit,
        "LOG_DIR": log_dir,
        "TEXTFILE_DIR": kit.textfile_dir,
        "CATALOG": kit.catalog,
        "SPOOL": f"/var/spool/{kit.name}",
        "BIN": kit.bin,
        "PYTHON": kit.python,
        "OWNER": kit.owner,
        "RUNBOOK": kit.runbook,
        "USER": kit.user,
    }


def _notify_access(language: str) -> str:
    if language == "bash":
        return (
            "# Bash speaks to systemd through systemd-notify, which is not the main process.\n"
            "NotifyAccess=all"
        )
    return "NotifyAccess=main"


def _directories(state_dir: str, log_dir: str) -> str:
    """Lines of the unit that make the healer's directories, or else that let it write them."""
    lines = []
    for path, below, setting in (
        (state_dir, "/var/lib/", "StateDirectory"),
        (log_dir, "/var/log/", "LogsDirectory"),
    ):
        if path.startswith(below):
            lines += [f"{setting}={path.removeprefix(below)}", f"{setting}Mode=0750"]
        else:
            lines.append(f"ReadWritePaths=-{path}")
    return "\n".join(lines)
