"""docs/settings.md names every setting that there is, and its example is one that is taken."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from healconsole.core.cycle import policy_from_mapping
from healconsole.core.records import Policy
from healconsole.core.view import Thresholds
from healconsole.engine.settings import policy_from, settings_from
from healconsole.stores.config import Config, load_config

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
NOT_SETTINGS = {"HEAL_LUA_DIR", "HEAL_SH"}
"""Ours alone: where heal.sh finds its scripts, and the examples the library."""

VALUES = {
    "fleet_storm": "20%", "stage": "canary", "redis_unreachable": "local-only", "rate": "0.5",
    "fleet_rate": "0.5", "canaries": ["web-01"], "scope": "s", "fleet_lock": "l",
    "fleet_slots": "g",
}  # fmt: skip


def limits() -> list[tuple[str, str]]:
    """Each variable of a limit with its key."""
    rows = re.findall(r"^\| `(HEAL_\w+)` \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert len(rows) > 15
    return rows


def test_every_variable_of_the_libraries_is_told() -> None:
    used = {"HEAL_FENCE"}
    for folder, pattern in (("engine", "*.py"), ("shell/heal.d", "*.sh")):
        for file in (ROOT / "healconsole" / folder).glob(pattern):
            text = file.read_text(encoding="utf-8")
            used |= set(re.findall(r"(?<![\w_])HEAL_[A-Z_]+(?![a-z_])", text))
    told = set(re.findall(r"\bHEAL_[A-Z_]+\b", PAGE))
    assert {name.rstrip("_") for name in used} - NOT_SETTINGS <= told


@pytest.mark.parametrize(("variable", "key"), limits())
def test_a_variable_and_its_key_set_the_same(variable: str, key: str) -> None:
    value = VALUES.get(key, 7)
    text = " ".join(value) if isinstance(value, list) else str(value)
    by_variable = policy_from({variable: text}, Policy())
    assert by_variable == policy_from_mapping({key: value}, "here")
    assert by_variable != Policy()


def test_the_defaults_are_those_of_the_policy() -> None:
    rows = re.findall(r"^\| `HEAL_\w+` \| `(\w+)` \|.*\| (.+?) \|$", PAGE, re.MULTILINE)
    for key, default in rows:
        field = {"rate": "rate_micro", "fleet_rate": "fleet_rate_micro"}.get(key, key)
        found = getattr(Policy(), field)
        if default[0].isdigit():
            number = float(default.split()[0])
            assert found == (round(number * 1e6) if key == "rate" else number), key
        elif key == "redis_unreachable":
            assert default == f"`{found}`"
        else:
            assert not found, key
    assert settings_from("a", {}, Policy(), 60.0).interval == 60.0


def test_the_example_of_the_configuration_is_taken_and_has_every_key(tmp_path: Path) -> None:
    (text,) = re.findall(r"<!-- console -->\n```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    config = load_config({"config": str(file)}, {})
    assert config.thresholds == Thresholds(), "the example has the defaults"
    for field in (*fields(Config), *fields(Thresholds)):
        assert re.search(rf"^\[?{field.name}\b", text, re.MULTILINE), field.name
    for variable in re.findall(r"HEALCONSOLE_\w+", text):
        key = variable.removeprefix("HEALCONSOLE_").lower()
        value = {"read_only": "yes", "redis": "redis://h", "remote": "ssh {host} x"}.get(key, "/x")
        assert getattr(load_config({}, {variable: value}, []), key) is not None
