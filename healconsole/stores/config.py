"""The configuration: flags, then the environment, then the files; the first that says wins.

``HEALCONSOLE_*`` goes before the ``HEAL_*`` variable that the healers share, the user's own
file before the machine's. What cannot be taken is an error that names where it stands.

Two things of the machine's file are rules, not defaults: ``read_only = true`` and ``[operators]``.
They hold whatever flag, variable or other file says, so that who may run this program with sudo
cannot talk it out of them; others may ask for more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from healconsole.core.ages import parse_duration
from healconsole.core.frozen import Frozen, field, field_names
from healconsole.core.view import DEFAULT_THRESHOLDS, Thresholds
from healconsole.stores.configfile import ConfigError, ConfigFile, Place
from healconsole.stores.redisaddress import SINGLE, parse_nodes, with_login

__all__ = ["Config", "ConfigError", "load_config"]

SYSTEM_FILE: Final = Path("/etc/heal/healconsole.toml")
USER_FILE: Final = Path("healconsole/config.toml")
"""Below ``$XDG_CONFIG_HOME``, by default ``~/.config``."""

REMOTE: Final = (
    *("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "--", "{host}"),
    *("sudo", "-n", "healconsole"),
)
"""How an operator acts on another host, unless the configuration says otherwise: host keys and
logins as ``ssh`` finds them, and the rights that sudo gives there."""

_ON: Final = frozenset({"true", "1", "yes", "on"})
_OFF: Final = frozenset({"false", "0", "no", "off"})

_TEXT_LIMIT: Final = 256

FOUR_EYES: Final = frozenset({"trip", "reset", "dry-run", "release", "undo"})
"""Acts that can want a second person."""

SECOND_WITHIN_S: Final = 900.0
"""For how long they can be approved unless the configuration says otherwise."""

_EMPTY: Final[Mapping[str, str]] = {}


class Config(Frozen):
    """What this run of the console works on."""

    state_root: Path = Path("/var/lib/heal")
    audit: Path = Path("/var/log/heal/audit.jsonl")
    redis: str | None = field(default=None, repr=False)
    """URL of the Redis with the fleet locks, password and all; None = none configured."""
    textfile_dir: Path | None = None
    catalog: Path = Path("/etc/heal/healers.d")
    read_only: bool = False
    theme: str = ""
    """Name of a theme; empty = the default one."""
    keymap: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Keys by the id of their binding, as Textual's ``set_keymap`` takes them."""
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    host: str = ""
    """This machine's name, for the events of an operator."""
    operator: str = ""
    """The operator's name where an account is shared; empty = the login's."""
    four_eyes: frozenset[str] = frozenset()
    """Acts that want a second person."""
    second_within: float = SECOND_WITHIN_S
    """Seconds for which one can be approved."""
    incident: str = ""
    """What the incident field of the dialogs starts with."""
    remote: tuple[str, ...] = REMOTE
    """argv that runs this program on another host; what follows ``{host}`` is run there."""


class _Setting(Frozen):
    """One value of the configuration: its key, what reads it, and the variables that set it."""

    key: str
    read: Callable[[Any, Place], Any]
    variables: tuple[str, ...] = ()


def load_config(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    files: Sequence[str | os.PathLike[str]] | None = None,
) -> Config:
    """The configuration of this run.

    Args:
        flags: values by the name of their field, only those that were given. ``config``
            names the one file that is read in place of the usual ones. Others are ignored.
        environ: the environment; an empty variable counts as unset.
        files: the files to read, the strongest last; by default the machine's and the user's.
            One that is not there is passed over, but not one that was named. The rules of the
            first hold in any case.

    Raises:
        ConfigError: a value cannot be taken, or a file cannot be read; one sentence that
            names the flag, the variable, or file, line and key, and what to write instead.
    """
    named = flags.get("config") or environ.get("HEALCONSOLE_CONFIG")
    paths = default_files(environ) if files is None else [Path(file) for file in files]
    machine = [ConfigFile.load(path) for path in paths[:1]]
    if named:
        loaded = [ConfigFile.load(Path(str(named)), required=True)]
    else:
        loaded = [*machine, *(ConfigFile.load(path) for path in paths[1:])]
    keys = {setting.key for setting in _SETTINGS} | {"keymap", "thresholds", "operators"}
    for file in (*machine, *loaded):
        file.refuse_unknown(keys)
    values: dict[str, Any] = {}
    for setting in _SETTINGS:
        for value, place in _said(setting, flags, environ, loaded):
            values[setting.key] = setting.read(value, place)
            break
    if "redis" in values:
        values["redis"] = _logged_in(str(values["redis"]), environ)
    values.setdefault("host", os.uname().nodename)
    values["keymap"] = _keymap(loaded)
    values |= _operators(machine, loaded)
    if any("read_only" in file.values and _read_only(file) for file in machine):
        values["read_only"] = True
    values["thresholds"] = _thresholds(loaded)
    return Config(**values)


def default_files(environ: Mapping[str, str]) -> list[Path]:
    """The machine's file, and the user's where a home is known."""
    base = environ.get("XDG_CONFIG_HOME") or ""
    if not base.startswith("/"):  # a relative one is to be ignored, says the XDG specification
        home = environ.get("HOME") or ""
        if not home.startswith("/"):
            return [SYSTEM_FILE]
        base = f"{home}/.config"
    return [SYSTEM_FILE, Path(base) / USER_FILE]


def _said(
    setting: _Setting,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    files: Sequence[ConfigFile],
) -> Iterator[tuple[object, Place]]:
    """Every value that was given for ``setting``, the strongest first."""
    if setting.key in flags:
        yield flags[setting.key], Place(f"--{setting.key.replace('_', '-')}")
    for variable in setting.variables:
        if environ.get(variable):
            yield environ[variable], Place(variable)
    for file in reversed(files):
        if setting.key in file.values:
            yield file.values[setting.key], file.place(setting.key)


def _path(value: object, place: Place) -> Path:
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str) or not text or "\0" in text:
        raise place.error(f"must be a path, not {value!r}", 'a text such as "/var/lib/heal"')
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise place.error(f"{text!r} names no user's home", "an absolute path") from error
    return place.base / path if place.base else path


def _text(value: object, place: Place) -> str:
    if not isinstance(value, str) or len(value) > _TEXT_LIMIT or not value.isprintable():
        raise place.error(
            "must be one line of text", f"at most {_TEXT_LIMIT} characters between quotes"
        )
    return value


def _command(value: object, place: Place) -> tuple[str, ...]:
    """A command with the place of a host in it: a list, or a text as a shell would split it."""
    import shlex

    instead = 'a list such as ["ssh", "-o", "BatchMode=yes", "{host}", "healconsole"]'
    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise place.error(f"cannot be split into words ({error})", instead) from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise place.error("must be a command", instead)
    if words.count("{host}") != 1 or words[0] == "{host}" or words[-1] == "{host}":
        raise place.error("must have {host} once, between what runs here and there", instead)
    return tuple(words)


def _switch(value: object, place: Place) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _ON:
        return True
    if word in _OFF:
        return False
    raise place.error(f"must be true or false, not {value!r}", "true or false")


def _redis_url(value: object, place: Place) -> str:
    """A Redis URL. It may hold a password, so no message repeats it."""
    instead = (
        "redis://HOST:6379/0, rediss://…, unix:///path, redis+sentinel://… or redis+cluster://…"
    )
    if not isinstance(value, str):
        raise place.error("must be a URL", instead)
    try:
        if parse_nodes(value) is not None:
            return value
        url = urlsplit(value)
        port = url.port
    except ValueError as error:
        raise place.error("is no URL: its host or port cannot be read", instead) from error
    if url.scheme not in SINGLE:
        raise place.error("is no URL of a Redis", instead)
    if url.scheme == "unix" and not url.path:
        raise place.error("names no socket", instead)
    if url.scheme != "unix" and (not url.hostname or port == 0):
        raise place.error("names no host", instead)
    return value


def _logged_in(url: str, environ: Mapping[str, str]) -> str:
    try:
        return with_login(url, environ)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _keymap(files: Sequence[ConfigFile]) -> dict[str, str]:
    keymap: dict[str, str] = {}
    places: dict[str, Place] = {}
    for file in files:
        for key, value in file.table("keymap").items():
            place = places[key] = file.place(key, "keymap")
            if not isinstance(value, str) or not value:
                raise place.error(f"must name keys, not {value!r}", 'a text such as "ctrl+t"')
            keymap[key] = value
    if not keymap:
        return keymap
    from healconsole.core.keymap import KeymapError, whole_keymap  # only where somebody remapped

    try:
        return whole_keymap(keymap)
    except KeymapError as error:
        raise places[error.name].error(str(error), error.instead) from error


def _read_only(file: ConfigFile) -> bool:
    return _switch(file.values["read_only"], file.place("read_only"))


def _operators(machine: Sequence[ConfigFile], files: Sequence[ConfigFile]) -> dict[str, Any]:
    """Table ``operators``: the acts that want a second person, and for how long they wait.

    Another file may ask for more than the machine's: for other acts too, or for less time.
    """
    rules = _operators_of(machine)
    found = _operators_of([*machine, *files])
    if rules.get("four_eyes") or "second_within" in rules:
        most = rules.get("second_within", SECOND_WITHIN_S)
        found["second_within"] = min(most, found.get("second_within", most))
    return found


def _operators_of(files: Sequence[ConfigFile]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in files:
        for key, value in file.table("operators").items():
            place = file.place(key, "operators")
            if key == "four_eyes":
                if not isinstance(value, list) or not FOUR_EYES.issuperset(map(str, value)):
                    raise place.error(
                        f"must be a list of acts, not {value!r}",
                        f"some of {', '.join(sorted(FOUR_EYES))}",
                    )
                found[key] = found.get(key, frozenset()) | frozenset(value)
            elif key == "second_within":
                found[key] = _positive(value, place)
            else:
                raise place.error("is not known", "four_eyes or second_within")
    return found


def _thresholds(files: Sequence[ConfigFile]) -> Thresholds:
    values: dict[str, float] = {}
    known = field_names(Thresholds)
    for file in files:
        for key, value in file.table("thresholds").items():
            place = file.place(key, "thresholds")
            if key not in known:
                raise place.error("is not known", f"one of {', '.join(known)}")
            values[key] = _positive(value, place)
    return Thresholds(**values)


def _positive(value: object, place: Place) -> float:
    try:
        number = parse_duration(value) if isinstance(value, str) else value
    except ValueError as error:
        raise place.error(str(error), 'a number, or a text such as "3m"') from error
    if type(number) not in {int, float} or not 0 < number < 1e9:  # type: ignore[operator]
        raise place.error(f"must be more than 0, not {value!r}", 'a number, or "3m"')
    return float(number)  # type: ignore[arg-type]


_SETTINGS: Final = (
    _Setting("state_root", _path, ("HEALCONSOLE_STATE_ROOT", "HEAL_STATE_ROOT")),
    _Setting("audit", _path, ("HEALCONSOLE_AUDIT", "HEAL_AUDIT_FILE")),
    _Setting("redis", _redis_url, ("HEALCONSOLE_REDIS", "HEAL_REDIS_URL")),
    _Setting("textfile_dir", _path, ("HEALCONSOLE_TEXTFILE_DIR", "HEAL_TEXTFILE_DIR")),
    _Setting("catalog", _path, ("HEALCONSOLE_CATALOG",)),
    _Setting("read_only", _switch, ("HEALCONSOLE_READ_ONLY",)),
    _Setting("theme", _text, ("HEALCONSOLE_THEME",)),
    _Setting("host", _text, ("HEALCONSOLE_HOST",)),
    _Setting("operator", _text, ("HEALCONSOLE_OPERATOR",)),
    _Setting("remote", _command, ("HEALCONSOLE_REMOTE",)),
    _Setting("incident", _text, ("HEALCONSOLE_INCIDENT",)),
)
