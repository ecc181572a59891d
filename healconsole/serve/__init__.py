"""The wall in a browser: one read-only console for each viewer, and a gate before it."""
