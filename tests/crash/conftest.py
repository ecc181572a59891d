"""Fixtures of the crash tests."""

from tests.crash.tracing import strace

__all__ = ["strace"]
