"""Fixtures of all tests. What one folder needs alone is in that folder's conftest.py."""
