"""Auto-remediation healers behind guardrails, and the console to operate them."""

__version__ = "0.1.0"
