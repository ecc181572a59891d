"""File names of scopes: no name leaves its directory, no two scopes share one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healconsole.core.scopes import (
    is_healer_name,
    is_scope_file_name,
    scope_file_name,
    scope_of_file,
)

SCOPES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)
NASTY = ["/", "..", ".", "../../x", "a\nb", "a\x00b", "%2F", "%~", "-rf", "x" * 300, "é" * 90, " "]


@given(SCOPES)
@example("x" * 1024)
@example("." * 400)
@example("é" * 512)
def test_a_file_name_stays_in_its_directory(scope: str) -> None:
    name = scope_file_name(scope)
    assert 0 < len(name) <= 180
    assert not name.startswith(".")
    assert "/" not in name
    assert name.isascii()
    assert name.isprintable()
    assert is_scope_file_name(name)


@given(SCOPES)
def test_a_short_name_is_decoded_to_its_scope(scope: str) -> None:
    name = scope_file_name(scope)
    assert scope_of_file(name) == (name if "%~" in name else scope)


@given(SCOPES, SCOPES)
@example("a/b", "a%2Fb")
@example("x" * 200, "x" * 201)
@example("x" * 181, scope_file_name("x" * 181))
def test_two_scopes_never_share_a_name(first: str, second: str) -> None:
    if first != second:
        assert scope_file_name(first) != scope_file_name(second)


@pytest.mark.parametrize("scope", NASTY)
def test_names_are_stable(scope: str) -> None:
    assert scope_file_name(scope) == scope_file_name(str(scope.encode(), "utf-8"))


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        ("restart_worker", "restart_worker"),
        ("restart_worker pid=1", "restart_worker%20pid=1"),
        (".hidden", "%2Ehidden"),
        ("a.b", "a.b"),
        ("é", "%C3%A9"),
        ("A=1,b@c:d+e-f", "A=1,b@c:d+e-f"),
        ("x" * 180, "x" * 180),
    ],
)
def test_spelling(scope: str, name: str) -> None:
    assert scope_file_name(scope) == name


@pytest.mark.parametrize("before", range(97, 101))
def test_a_long_name_does_not_cut_an_escape_in_two(before: int) -> None:
    kept, mark, digest = scope_file_name("x" * before + "/" * 60).partition("%~")
    assert mark
    assert len(digest) == 32
    assert kept in {"x" * min(before, 100), "x" * 97 + "%2F"}


@pytest.mark.parametrize(
    "name", ["restart pid=1", "100%", "a%2", "a%2f", "a%ZZ%20", "x%~" + "0" * 32, "a=b c=d"]
)
def test_a_legacy_or_hashed_name_stands_for_itself(name: str) -> None:
    assert scope_of_file(name) == name


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_file_name_stands_for_some_scope(name: str) -> None:
    assert isinstance(scope_of_file(name), str)


def test_bytes_that_are_no_text_come_back_as_they_went() -> None:
    name = b"a\xff %20".decode("utf-8", "surrogateescape")
    assert scope_of_file(name).encode("utf-8", "surrogateescape") == b"a\xff  "
    assert scope_of_file("%FF") == "\udcff"
    assert scope_file_name("\udcff") == "%FF"


def test_what_has_no_name_is_refused() -> None:
    for scope in ("", "\ud800"):
        with pytest.raises(ValueError, match=r"not empty|encode"):
            scope_file_name(scope)


@pytest.mark.parametrize(
    ("name", "good"),
    [("a", True), ("A.b-c_1", True), ("x" * 64, True), ("x" * 65, False), ("", False)]
    + [(name, False) for name in ("..", ".a", "-a", "_a", "a b", "a/b", "é", "a\n")],
)
def test_names_of_healers(name: str, good: bool) -> None:
    assert is_healer_name(name) is good


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a b", "%2f", "%", "%~" + "0" * 32, "x" * 181, "a\n"]
)
def test_names_that_no_scope_has(name: str) -> None:
    assert not is_scope_file_name(name)
