"""The strongest word wins, and a wrong one is named with its place and its mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from healconsole.stores.config import Config, ConfigError, default_files, load_config


def _file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_said(tmp_path: Path) -> None:
    found = load_config({}, {}, [tmp_path / "none.toml"])
    assert found.state_root == Path("/var/lib/heal")
    assert found.audit == Path("/var/log/heal/audit.jsonl")
    assert found.catalog == Path("/etc/heal/healers.d")
    assert (found.redis, found.textfile_dir, found.read_only) == (None, None, False)
    assert found.host
    assert found == Config(host=found.host)


def test_flag_over_variable_over_file_over_file(tmp_path: Path) -> None:
    weak = _file(tmp_path / "a.toml", 'state-root = "/a"\naudit = "/a"\ncatalog = "/a"\n')
    strong = _file(tmp_path / "b.toml", 'state_root = "/b"\naudit = "/b"\n')
    environ = {"HEAL_STATE_ROOT": "/c", "HEALCONSOLE_STATE_ROOT": "/d", "HEAL_REDIS_URL": ""}
    files = [weak, strong]
    found = load_config({"state_root": "/e"}, environ, files)
    assert (found.state_root, found.audit, found.catalog) == (Path("/e"), Path("/b"), Path("/a"))
    assert load_config({}, environ, files).state_root == Path("/d")
    environ.pop("HEALCONSOLE_STATE_ROOT")
    assert load_config({}, environ, files).state_root == Path("/c")
    assert load_config({}, {}, files).state_root == Path("/b")
    assert load_config({"wall": True}, {}, []).redis is None


def test_everything_in_a_file(tmp_path: Path) -> None:
    path = _file(
        tmp_path / "c.toml",
        """
        state-root = "state"
        redis = "redis://:secret@localhost:6379/2"
        textfile_dir = "/t"
        read-only = true
        theme = "healconsole-light"
        host = "web1"
        operator = "Ana"
        incident = "INC-7"
        [keymap]
        trip = "ctrl+t"
        [thresholds]
        stale_s = "5m"
        missed_beats = 4
        """,
    )
    found = load_config({"config": str(path)}, {})
    assert found.state_root == tmp_path / "state"
    assert found.redis == "redis://:secret@localhost:6379/2"
    assert "secret" not in repr(found)
    assert found.read_only
    assert (found.theme, found.host, found.operator) == ("healconsole-light", "web1", "Ana")
    assert found.incident == "INC-7"
    assert found.keymap == {"trip": "ctrl+t"}
    assert (found.thresholds.stale_s, found.thresholds.missed_beats) == (300.0, 4.0)


def test_keymap_and_thresholds_of_two_files_are_joined(tmp_path: Path) -> None:
    weak = _file(tmp_path / "a", '[keymap]\ntrip = "a"\nreset = "b"\n[thresholds]\nstale_s = 1\n')
    strong = _file(tmp_path / "b", '[keymap]\ntrip = "c"\n[thresholds]\ngrace_s = 2\n')
    found = load_config({}, {}, [weak, strong])
    assert found.keymap == {"trip": "c", "reset": "b"}
    assert (found.thresholds.stale_s, found.thresholds.grace_s) == (1.0, 2.0)


def test_keys_are_exchanged_and_shared_by_screens_that_never_meet(tmp_path: Path) -> None:
    text = '[keymap]\ntrip = "r"\nreset = "t, ?"\nhelp = "f1"\nbreak = "d"\n'
    found = load_config({}, {}, [_file(tmp_path / "a", text)])
    assert found.keymap == {"trip": "r", "reset": "t,question_mark", "help": "f1", "break": "d"}


@pytest.mark.parametrize(
    ("text", "keymap"),
    [
        ('down = "down,j"', {}),
        ('down = "j, down"', {}),
        ('up = "k,up"', {"up": "k,up"}),
        ('quit = "ctrl+q"', {"quit": "ctrl+q"}),
        ('quit = "q,ctrl+q"', {"quit": "q,ctrl+q"}),
        ('trip = "F"', {"trip": "F", "repair": "f12"}),
        ('trip = "F,F12"', {"trip": "F,f12", "repair": "f11"}),
        ('trip = "o"', {"trip": "o", "group": "f12"}),
        ('trip = "o"\nreset = "F"', {"trip": "o", "reset": "F", "repair": "f12", "group": "f11"}),
        ('break = "o"', {"break": "o"}),
        ('trip = "Ctrl+t, shift+f5, +, ctrl+@, <, reverse_solidus"',
         {"trip": "ctrl+t,shift+f5,plus,ctrl+@,less_than_sign,backslash"}),
        ('trip = "§, é, shift+ctrl+pageup"', {"trip": "section_sign,é,ctrl+shift+pageup"}),
    ],
)  # fmt: skip
def test_a_key_that_nobody_needs_is_to_be_had(
    tmp_path: Path, text: str, keymap: dict[str, str]
) -> None:
    assert load_config({}, {}, [_file(tmp_path / "a", f"[keymap]\n{text}\n")]).keymap == keymap


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "line 1: x: is not known; write one of audit, catalog"),
        ("\nstate-root = 3", "line 2: state_root: must be a path, not 3"),
        ('\n\nredis = "http://h"', "line 3: redis: is no URL of a Redis"),
        ('read_only = "perhaps"', "line 1: read_only: must be true or false, not 'perhaps'"),
        ("keymap = 1", "line 1: keymap: must be a table; write [keymap]"),
        ("[keymap]\ntrip = 1", "line 2: [keymap] trip: must name keys, not 1"),
        (
            '[keymap]\n\ntrip = "r"',
            (
                "line 3: [keymap] trip: r is the key of reset too, and only one of them would "
                "work; write another key, or give reset another one"
            ),
        ),
        ('[keymap]\nfilter = "/"\nhelp = "/"', "line 3: [keymap] help: slash is the key of fil"),
        ('[keymap]\nbreak = "k"', "line 2: [keymap] break: k is the key of up too"),
        ('[keymap]\ntrip = "f5,"', "line 2: [keymap] trip: names a key that is empty"),
        ('[keymap]\ntrip = "ctrl+p"', "line 2: [keymap] trip: ctrl+p is not to be had"),
        ('[keymap]\ntrip = "ctrl+q"', "line 2: [keymap] trip: ctrl+q is not to be had"),
        ('[keymap]\ndown = "n,j"', "line 2: [keymap] down: j is the key of jump too"),
        ('[keymap]\ntrip = "F"\nrepair = "F"', "[keymap] trip: F is the key of repair too"),
        (
            '[keymap]\n\ntrip = "ctlr+x"',
            (
                "line 3: [keymap] trip: 'ctlr+x' is no key; write a text such as \"f5\", "
                '"ctrl+t", "T", "/" or "escape"'
            ),
        ),
        ('[keymap]\ntrip = "t,f13x"', "line 2: [keymap] trip: 'f13x' is no key"),
        ('[keymap]\ntrip = "f36"', "line 2: [keymap] trip: 'f36' is no key"),
        ('[keymap]\ntrip = "ctrl+"', "line 2: [keymap] trip: 'ctrl+' is no key"),
        ('[keymap]\ntrip = "esc"', "line 2: [keymap] trip: 'esc' is no key"),
        ('[keymap]\ntrip = "shift+x"', "trip: 'shift+x' is sent as the sign that it makes; write"),
        ('[keymap]\ntrip = "ctrl+shift+X"', 'is sent as the small letter; write "ctrl+shift+x"'),
        ('[keymap]\nfoo = "x"', "line 2: [keymap] foo: is not known; write one of trip, reset"),
        ("[thresholds]\n\nstale = 1", "line 3: [thresholds] stale: is not known; write one of"),
        ("[thresholds]\nstale_s = -1", "line 2: [thresholds] stale_s: must be more than 0"),
        ("[thresholds]\nstale_s = true", "line 2: [thresholds] stale_s: must be more than 0"),
        ('[thresholds]\nstale_s = "soon"', "line 2: [thresholds] stale_s: "),
        ("keymap.trip = 1", "line 1: [keymap] trip: must name keys"),
        ('theme = "a\\nb"', "line 1: theme: must be one line of text"),
        ("\n\ntheme = ", "no valid TOML: "),
        ("theme = [[[", "line 1"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = _file(tmp_path / "c.toml", text)
    with pytest.raises(ConfigError) as wrong:
        load_config({"config": str(path)}, {})
    assert str(wrong.value).startswith(f"{path}: ")
    assert message in str(wrong.value)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://u:hush@h",
        "redis://u:hush@h:hush",
        "redis://:hush@",
        "hush",
        "unix:",
        "redis://[hush",
    ],
)
def test_no_message_tells_a_password(url: str) -> None:
    for flags, environ, place in (
        ({"redis": url}, {}, "--redis"),
        ({}, {"HEAL_REDIS_URL": url}, "HEAL_REDIS_URL"),
        ({}, {"HEALCONSOLE_REDIS": url}, "HEALCONSOLE_REDIS"),
    ):
        with pytest.raises(ConfigError) as wrong:
            load_config(flags, environ, [])
        assert str(wrong.value).startswith(f"{place}: ")
        assert "hush" not in str(wrong.value)


@pytest.mark.parametrize(
    "url", ["redis://h", "rediss://u:p@h:6380/1", "unix:///run/redis.sock", "redis://[::1]:1"]
)
def test_urls_that_are_taken(url: str) -> None:
    assert load_config({"redis": url}, {}, []).redis == url


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    for flags, environ in (({"config": missing}, {}), ({}, {"HEALCONSOLE_CONFIG": str(missing)})):
        with pytest.raises(ConfigError, match="there is no such file"):
            load_config(flags, environ)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a directory, not a regular file"):
        load_config({}, {}, [tmp_path])
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="no valid TOML"):
        load_config({}, {}, [path])


def test_a_linked_file_is_read(tmp_path: Path) -> None:
    _file(tmp_path / "real.toml", 'theme = "x"')
    (tmp_path / "link.toml").symlink_to("real.toml")
    assert load_config({}, {}, [tmp_path / "link.toml"]).theme == "x"


def test_where_the_users_file_lies() -> None:
    system = Path("/etc/heal/healconsole.toml")
    assert default_files({}) == [system]
    assert default_files({"HOME": "/h"}) == [system, Path("/h/.config/healconsole/config.toml")]
    home = {"HOME": "/h", "XDG_CONFIG_HOME": "/x"}
    assert default_files(home) == [system, Path("/x/healconsole/config.toml")]
    assert default_files({"XDG_CONFIG_HOME": "relative"}) == [system]


@pytest.mark.parametrize(
    ("word", "on"), [("1", True), (" Yes", True), ("off", False), ("0", False)]
)
def test_a_switch_in_the_environment(word: str, *, on: bool) -> None:
    assert load_config({}, {"HEALCONSOLE_READ_ONLY": word}, []).read_only is on
    assert load_config({"read_only": True}, {"HEALCONSOLE_READ_ONLY": word}, []).read_only


def test_the_rules_of_the_machine_hold_whatever_else_is_said(tmp_path: Path) -> None:
    machine, own = tmp_path / "machine.toml", tmp_path / "own.toml"
    machine.write_text(
        'read_only = true\ntheme = "a"\n[operators]\nfour_eyes = ["reset"]\nsecond_within = "5m"\n'
    )
    own.write_text('read_only = false\n[operators]\nfour_eyes = ["trip"]\nsecond_within = "1h"\n')
    off, empty = {"HEALCONSOLE_READ_ONLY": "off"}, tmp_path / "empty.toml"
    empty.touch()
    for flags, environ in (
        ({"config": str(empty)}, off),
        ({"read_only": False}, {**off, "HEALCONSOLE_CONFIG": str(empty)}),
        ({"config": str(own)}, {}),
        ({}, off),
    ):
        found = load_config(flags, environ, [machine, own])
        assert found.read_only, flags
        assert found.four_eyes >= {"reset"}, flags
        assert found.second_within == 300, flags
    assert load_config({"config": str(own)}, {}, [machine]).four_eyes == {"reset", "trip"}
    assert load_config({"config": str(own)}, {}, [machine]).theme == "", "only rules hold"
    own.write_text('[operators]\nsecond_within = "1m"\n')
    assert load_config({"config": str(own)}, {}, [machine]).second_within == 60
    machine.write_text('[operators]\nfour_eyes = ["reset"]\n')
    for within, holds in (("365d", 900), ("1m", 60)):
        own.write_text(f'[operators]\nsecond_within = "{within}"\n')
        assert load_config({}, {}, [machine, own]).second_within == holds
        assert load_config({"config": str(own)}, {}, [machine]).second_within == holds
    machine.write_text('read_only = "perhaps"\n')
    with pytest.raises(ConfigError, match="read_only: must be true or false"):
        load_config({"config": str(own)}, {}, [machine])


def test_acts_that_want_a_second_person(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[operators]\nfour_eyes = ["reset", "trip"]\nsecond_within = "5m"\n')
    own = tmp_path / "own.toml"
    own.write_text("[operators]\nfour_eyes = []\n")
    config = load_config({}, {}, [file, own])
    assert config.four_eyes == {"reset", "trip"}
    assert config.second_within == 300
    file.write_text('[operators]\nfour_eyes = ["run"]\n')
    with pytest.raises(ConfigError, match=r"line 2: \[operators\] four_eyes: must be a list"):
        load_config({}, {}, [file])
