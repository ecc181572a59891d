"""The terminal UI: no parsing, no Redis, no guardrail logic."""
