"""What a shell offers for an argument: files, directories, the names of healers."""

from __future__ import annotations

import argparse
from typing import Final

_COMPLETIONS: Final[dict[str, dict[str, object]]] = {
    "FILE": {
        "bash": "_shtab_compgen_files",
        "zsh": "_files",
        "fish": "(__fish_complete_path (commandline -ct))",
    },
    "DIR": {
        "bash": "_shtab_compgen_dirs",
        "zsh": "_files -/",
        "fish": "(__fish_complete_directories)",
    },
    "NAME": {
        "bash": "_healconsole_names",
        "zsh": "_healconsole_names",
        "fish": "(_healconsole_names)",
        "preamble": {
            "bash": """\
_healconsole_names() {
  local path name
  for path in "${HEAL_STATE_ROOT:-/var/lib/heal}"/*/; do
    name=${path%/}
    name=${name##*/}
    [[ $name == "$1"* && $name =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] && printf '%s\\n' "$name"
  done
}
""",
            "zsh": """\
_healconsole_names() {
  local -a names
  names=(${HEAL_STATE_ROOT:-/var/lib/heal}/[A-Za-z0-9]*(N/:t))
  compadd -a names
}
""",
            "fish": """\
function _healconsole_names
  set -l root /var/lib/heal
  set -q HEAL_STATE_ROOT; and set root $HEAL_STATE_ROOT
  command ls -- $root 2>/dev/null | string match -r '^[A-Za-z0-9][A-Za-z0-9._-]*$'
end
""",
        },
    },
}


def completes(action: argparse.Action, kind: str) -> None:
    """Let the shell complete ``action`` with a FILE, a DIR or the NAME of a healer.

    The attribute is shtab's protocol. A name comes from the state root, where anybody may have
    made a directory: only what looks like a name is offered, and nothing is expanded.
    """
    if kind in _COMPLETIONS:
        action.complete = _COMPLETIONS[kind]  # type: ignore[attr-defined]
