"""What the engine says to people."""

from __future__ import annotations

import pytest

from healconsole.engine.events import to_stderr


def test_no_text_of_others_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    to_stderr("h: restart unit=\x1b]0;t\x07: denied\nfake line")
    assert capsys.readouterr().err == "h: restart unit=␛]0;t␇: denied⏎fake line\n"
