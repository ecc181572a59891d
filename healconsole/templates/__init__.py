"""What ``healconsole init`` fills in: a healer, its test, and all that puts it into production."""
