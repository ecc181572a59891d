"""All I/O on the contract: files, audit log, Redis, textfile metrics, and the feed."""
