"""Whatever a state file holds, bash denies it, runs nothing of it, and says so in time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healconsole.core.intent import marker_key
from tests.shell.bashes import NOON, ShellSite, many

KEY = marker_key("fix pid=1", NOON // 300)
FILES = ("hold", "rate/fix", "cb/fix", "claims/0", f"keys/{KEY}")
GUARD = {"hold": "hold", "rate/fix": "rate", "cb/fix": "circuit", "claims/0": "idempotency"}
GOOD = {
    "hold": f"off {NOON} 0 ana\n",
    "rate/fix": f"{NOON} 2.000000 0.016700 3\n",
    "cb/fix": f"0 {NOON - 10} 3 600 closed 0\n",
    "claims/0": "",
}
PAYLOADS = (
    b"a[$(touch canary)] 1\n",
    b"1764000000 a[$(touch canary)]\n",
    b"a[`touch canary`]+1 1764000000\n",
    b"$(touch canary) 1 3 600 closed 0\n",
    b"on a[$(touch canary)] 0 ana\n",
    b"v1 a[$(touch canary)] 1 00000000 1 k fix 0 1 1 x\n",
)
ODD = (
    b"\0",
    b"nan nan\n",
    b"08 1764000000\n",
    b"-1 1764000000\n",
    b"1e999 1\n",
    b"1764000000 1e999\n",
    b"1764000000 -1.0\n",
    b"1764000000 1.0 0.0167\n",
    b"\n",
    b" 1764000000 1.0\n",
    b"99999999999999999999 1\n",
    b"x" * 10_000_000,
    b"1764000000 2.0\0\n",
    b"1764000000 2.0\n\n",
    b"\xff\xfe\n",
)

ASK = """
for _ in 1; do
  heal_act_with_guardrails "fix pid=1" act good
  printf '%s\\t%s\\n' "$_heal_v_guard" "$_heal_v_reason"
done
"""


def ask(site: ShellSite) -> tuple[str, str]:
    began = time.monotonic()
    done = site.run(ASK, prefix=("env", "-C", str(site.root)))
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 10
    assert not (site.root / "canary").exists()
    guard, _, reason = done.stdout.rstrip("\n").partition("\t")
    return guard, reason


def test_bad_content_denies_as_corrupt(site: ShellSite) -> None:
    """All of it in one bash: each file, each content."""
    contents = site.root / "contents"
    contents.mkdir()
    for number, content in enumerate((*PAYLOADS, *ODD)):
        (contents / str(number)).write_bytes(content)
    site.run("heal_init")
    done = site.run(
        """
        for path in hold rate/fix cb/fix claims/0; do
          for content in contents/*; do
            cp "$content" "$HEAL_STATE_DIR/$path"
            heal_act_with_guardrails "fix pid=1" act good
            printf '%s %s %s %s\\n' "$path" "${content##*/}" "$_heal_v_guard" "$_heal_v_reason"
          done
          rm "$HEAL_STATE_DIR/$path"
        done
        """,
        prefix=("env", "-C", str(site.root)),
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 4 * len((*PAYLOADS, *ODD))
    for line in lines:
        path, _, guard, reason = line.split(" ", 3)
        if path == "rate/fix" and guard == "":
            continue
        assert guard == GUARD[path], line
        assert reason.startswith(f"{path} is corrupt: "), line
    assert not list(site.root.rglob("canary"))
    assert site.acts() == 0


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("kind", ["directory", "fifo", "link", "dangling", "empty"])
def test_what_is_no_regular_file_denies(site: ShellSite, path: str, kind: str) -> None:
    site.run("heal_init")
    file = site.state / path
    other = site.root / "other"
    other.write_text(GOOD.get(path, ""))
    match kind:
        case "directory":
            file.mkdir()
        case "fifo":
            os.mkfifo(file)
        case "link":
            file.symlink_to(other)
        case "dangling":
            file.symlink_to(site.root / "nowhere")
        case "empty":
            file.touch()
    guard, reason = ask(site)
    if (path, kind) == ("claims/0", "empty"):
        assert guard == ""
        return
    assert guard == GUARD.get(path, "idempotency")
    if path.startswith("keys/") and kind == "empty":
        assert "(legacy marker)" in reason
    else:
        assert reason.startswith(f"{path} is corrupt: ")
        assert ("empty" if kind == "empty" else "regular") in reason
    assert site.acts() == 0


def test_a_draft_that_is_no_file_is_not_waited_on(site: ShellSite) -> None:
    """Nobody reads the FIFO, so to open it would take for ever."""
    site.run("heal_init")
    for name in ("rate.sh", "heal.sh"):
        os.mkfifo(site.state / ".scratch" / name)
    guard, reason = ask(site)
    assert (guard, reason) == ("record", "rate/fix cannot be written")
    assert site.run("heal_rate_check fix 1 1").returncode == 1
    assert site.acts() == 0


@pytest.mark.parametrize("folder", ["keys", "rate", "cb", "claims"])
def test_a_directory_that_is_a_link_denies(site: ShellSite, folder: str) -> None:
    site.run("heal_init")
    elsewhere = site.root / "elsewhere"
    (site.state / folder).rename(elsewhere)
    (site.state / folder).symlink_to(elsewhere)
    guard, reason = ask(site)
    assert guard == {"rate": "rate", "cb": "circuit"}.get(folder, "idempotency")
    assert "is corrupt" in reason
    assert site.acts() == 0


@pytest.mark.parametrize("path", ["rate/fix", "cb/fix", "hold"])
def test_a_file_that_was_cut_anywhere_is_whole_or_corrupt(site: ShellSite, path: str) -> None:
    """Each beginning of a good file, in one bash: it denies, or it is good by itself."""
    site.run("heal_init")
    done = site.limited(BURST=3).run(
        """
        for ((size = 0; size <= ${#GOOD}; size++)); do
          printf '%s' "${GOOD:0:size}" >"$HEAL_STATE_DIR/$FILE"
          _heal_call _heal_policy
          _heal_call _heal_clock
          _heal_call _heal_take_intent "fix pid=1" ''
          _heal_call _heal_gather 0
          _heal_call _heal_judge
          printf '%s|%s|%s\\n' "$size" "$_heal_v_guard" "$_heal_v_reason"
        done
        """,
        FILE=path,
        GOOD=GOOD[path].rstrip("\n"),
    )
    from healconsole.core.records import Corrupt
    from healconsole.stores.statefiles import parser_of

    for line in done.stdout.splitlines():
        size, guard, reason = line.split("|", 2)
        parsed = parser_of(path)(GOOD[path].encode()[: int(size)], path)
        if isinstance(parsed, Corrupt):
            assert (guard, reason) == (GUARD[path], f"{path} is corrupt: {parsed.why}")
        else:
            assert "corrupt" not in reason


BYTES = st.one_of(
    st.binary(max_size=80),
    st.text("0123456789. \t\n-eE+$()[]`xnaif", max_size=60).map(str.encode),
    st.lists(
        st.sampled_from(
            [
                "0",
                "1",
                "08",
                "1764000000",
                "2.5",
                "3",
                "600",
                "open",
                "closed",
                "half-open",
                "on",
                "off",
                "ana",
                "-1",
                "1e9",
                "99999999999",
                "100000000000",
                "a[$(touch canary)]",
            ]
        ),
        max_size=7,
    ).map(lambda words: " ".join(words).encode() + b"\n"),
)


@settings(
    max_examples=many(4, 100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(BYTES, min_size=10, max_size=10))
def test_bash_reads_files_as_python_does(tmp_path: Path, contents: list[bytes]) -> None:
    """Ten contents in one bash: as a bucket, a breaker and an override each."""
    from healconsole.core.records import Corrupt
    from healconsole.stores.statefiles import parser_of

    site = ShellSite(tmp_path)
    site.state.mkdir(exist_ok=True)
    for number, content in enumerate(contents):
        site.write(f"x/{number}", content)
    done = site.run(
        """
        _heal_call _heal_policy
        read_it() {
          local rc=0
          case $1 in
            rate) _heal_read_bucket "x/$2" || rc=$? ;;
            cb) _heal_dir=$_heal_dir/x; mkdir -p "$_heal_dir"; ln -sfn . "$_heal_dir/cb"
              _heal_read_breaker "$2" || rc=$?; _heal_dir=${_heal_dir%/x} ;;
            hold) _heal_read_override "x/$2" || rc=$? ;;
          esac
          printf '%s %s %s %s\\n' "$1" "$2" "$rc" "$_heal_why"
        }
        for kind in rate cb hold; do
          for ((i = 0; i < 10; i++)); do _heal_call read_it "$kind" "$i"; done
        done
        """,
        prefix=("env", "-C", str(tmp_path)),
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 30, done.stderr
    for line in lines:
        kind, index, rc, *why = line.split(" ", 3)
        content = contents[int(index)]
        path = {"rate": "rate/x", "cb": "cb/x", "hold": "hold"}[kind]
        parsed = parser_of(path)(content, path)
        if isinstance(parsed, Corrupt):
            assert (rc, why) == ("2", [parsed.why]), (content, line)
        else:
            assert rc == "0", (content, line)
    assert not list(tmp_path.rglob("canary"))
