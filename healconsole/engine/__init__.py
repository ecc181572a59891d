"""The order of the guardrails, the only caller of an action, and the operator verbs."""
