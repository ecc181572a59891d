"""The composition root: parses the command line and wires the rooms together."""
