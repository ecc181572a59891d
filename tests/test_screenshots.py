"""The pictures are of the program as it is: byte copies of the goldens."""

from __future__ import annotations

import pytest

from tests.screenshots import GOLDENS, PICTURES, SCREENSHOTS


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_its_golden(name: str) -> None:
    picture = (SCREENSHOTS / f"{name}.svg").read_bytes()
    assert picture == (GOLDENS / f"{PICTURES[name]}.svg").read_bytes()
    assert (SCREENSHOTS / f"{name}.png").read_bytes().startswith(b"\x89PNG")
