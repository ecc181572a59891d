"""heal.sh, the bash half of the healing library, and the templates that go with it."""
