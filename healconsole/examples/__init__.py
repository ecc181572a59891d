"""Healers to start from, each whole and each tested."""
