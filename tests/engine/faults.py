"""Faults at each call into the system that a guarded act makes, in a child of the test's own."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from typing import Any

CHANGING = ("write", "fsync", "fdatasync", "rename", "ftruncate", "open", "unlink", "mkdir")
"""What can fail for want of room."""
ALL = (*CHANGING, "close", "read", "pread", "fstat", "stat", "fork", "pipe", "waitpid")


def install(
    at: int, names: tuple[str, ...], strike: Callable[[str, tuple[Any, ...]], None]
) -> None:
    """Call ``strike`` in place of the call number ``at``, and of none other, from now on.

    Never undone: for a child that was forked for it. ``strike`` gets name and arguments, and
    the call is made after it unless it raises.
    """
    count = 0

    def wrap(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - any call
            nonlocal count
            count += 1
            if count == at:
                strike(name, args)
            return call(*args, **options)

        return called

    for name in names:
        setattr(os, name, wrap(name, getattr(os, name)))
    if "flock" in names:
        fcntl.flock = wrap("flock", fcntl.flock)


def counted(names: tuple[str, ...], work: Callable[[], object]) -> int:
    """How many calls of ``names`` the work makes, in this very process."""
    count = 0
    before = {name: getattr(os, name) for name in names}

    def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - any call
            nonlocal count
            count += 1
            return call(*args, **options)

        return called

    for name, call in before.items():
        setattr(os, name, wrap(call))
    try:
        work()
    finally:
        for name, call in before.items():
            setattr(os, name, call)
    return count
