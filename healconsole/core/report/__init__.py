"""What a span of the audit log adds up to: for each healer, host and day. Pure."""
