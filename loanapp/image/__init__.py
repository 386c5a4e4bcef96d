"""What the container image runs: its first process, its log, its health check, its database."""
