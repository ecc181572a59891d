"""What a healer's functions say is heard whole, whenever the time of a look at them is up.

Bash ends a read whose time is up with what it has read so far, be it half a line, or all of it and
the mark behind it. Looks a millisecond apart make that common.
"""

from __future__ import annotations

from tests.shell.bashes import ShellSite

ROUNDS = 300
LOOKS = "_HEAL_LOOK=1; heal_init; "


def test_what_decide_says_is_the_intent_and_nothing_else(site: ShellSite) -> None:
    done = site.run(
        LOOKS
        + f"""
        decide() {{ printf 'restart unit=1\\n'; return 42; }}
        for ((i = 0; i < {ROUNDS}; i++)); do
          rc=0
          _heal_capture 5 decide || rc=$?
          printf '%d %q\\n' "$rc" "$_heal_captured"
        done
        """
    )
    assert set(done.stdout.splitlines()) == {"42 $'restart unit=1\\n'"}


def test_an_action_that_ended_well_is_a_success(site: ShellSite) -> None:
    done = site.run(
        LOOKS
        + f"""
        for ((i = 0; i < {ROUNDS}; i++)); do
          exec {{said}}< <(printf 'acted\\n')
          child=$!
          _heal_ticks
          deadline=$((_heal_num + 5000))
          heard=''
          while _heal_hear "$said" "$deadline"; do heard+=$_heal_text; done
          exec {{said}}<&-
          printf '%s %s\\n' "$heard" "$_heal_heard"
        done
        """
    )
    assert set(done.stdout.splitlines()) == {"acted end"}


def test_what_writes_the_mark_of_the_end_itself_has_failed(site: ShellSite) -> None:
    done = site.run(
        LOOKS
        + r"""
        decide() { printf 'restart \x1e unit=1\n'; }
        rc=0
        _heal_capture 5 decide || rc=$?
        echo "$rc"
        """
    )
    assert done.stdout == "125\n"


def test_what_is_measured_cannot_end_the_measuring(site: ShellSite) -> None:
    """Neither cut an intent short, nor keep the healer waiting for its own end."""
    done = site.run(
        r"""
        _HEAL_LOOK=1
        heal_init
        pauses() { for _ in {1..20}; do nap; done; }
        decide() { printf 'restart unit=web\x1f000'; pauses; printf 'staging'; }
        rc=0
        _heal_capture 20 decide || rc=$?
        printf '%d %q\n' "$rc" "$_heal_captured"
        """
    )
    assert done.stdout == "0 $'restart unit=web\\037000staging'\n"


def test_what_is_measured_may_ask_redis(site: ShellSite) -> None:
    done = site.run(
        r"""
        decide() { heal_fleet_lock_acquire broker 5 || printf 'restart broker'; }
        heal_init
        rc=0
        _heal_capture 20 decide || rc=$?
        printf '%d %s\n' "$rc" "$_heal_captured"
        """,
        HEAL_REDIS_URL="redis://127.0.0.1:1",
    )
    assert done.stdout == "0 restart broker\n"


def test_no_text_of_others_commands_the_terminal(site: ShellSite) -> None:
    done = site.run(r"""heal_log $'a\e]0;t\a\x7f \u009b31m gr\u00fc\u00dfe\nb'""", LANG="C.UTF-8")
    assert done.stderr.endswith(": a?]0;t?? ?31m grüße\nb\n")
