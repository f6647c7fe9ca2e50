"""A rolling run: host after host is drained, acted on, looked at and returned. Pure."""
