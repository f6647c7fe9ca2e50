"""Horizon's settings for the worker, which runs as a user of its own.

Horizon's usual settings read SECRET_KEY from a file that the web server's user alone may read,
and refuse any other mode of it. The worker signs nothing, and must not be able to sign in the
name of Horizon: it makes a key of its own, which ends with the process.
"""

from horizon.utils import secret_key


def _key_of_this_process(*args: object, **more: object) -> str:
    key: str = secret_key.generate_key()
    return key


secret_key.generate_or_read_from_file = _key_of_this_process

from openstack_dashboard.settings import *  # noqa: E402, F403
