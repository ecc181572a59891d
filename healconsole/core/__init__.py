"""Decisions and views as pure functions: no disk, no clock, no Redis, no screen."""
