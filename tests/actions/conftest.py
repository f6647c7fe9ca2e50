"""Fixtures of the tests of actions."""

from tests.actions.servers import certificate

__all__ = ["certificate"]
