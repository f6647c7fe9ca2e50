"""Prints the table of settings of the docs: ``python -m ukcloud_maintenance.settings``."""

from . import table

if __name__ == "__main__":
    print(table(), end="")
