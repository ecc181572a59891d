"""A self-contained site with real healers that really break."""
