"""Prints the README's table of settings: ``python -m ukcloud_maintenance.settings``."""

from . import table

if __name__ == "__main__":
    print(table(), end="")
