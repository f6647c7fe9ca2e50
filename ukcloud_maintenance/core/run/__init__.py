"""A rolling run: host after host is drained, acted on, looked at and given back. Pure."""
