"""Who asks. Every function of `services` takes an actor; there is no default."""

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass, field

#: The policy rules of this product (scope `maintenance` in Horizon's POLICY_FILES).
RULE_VIEW = "maintenance:view"
RULE_DRAIN = "maintenance:drain"
RULE_CANCEL = "maintenance:cancel"
RULE_STEER = "maintenance:steer"
RULE_ABORT = "maintenance:abort"
RULE_FORCE = "maintenance:force_complete"
RULE_RESET = "maintenance:reset"
RULE_RETURN = "maintenance:return"


def _nothing(rule: str) -> bool:
    return False


@dataclass(frozen=True)
class Actor:
    """Somebody who asks for something.

    :param id: Keystone's user id, or ``shell:<uid>``
    :param name: what is shown and recorded, e.g. ``admin`` or ``root (shell)``
    :param may: tells whether the policy allows a rule; the default denies everything
    """

    id: str
    name: str
    may: Callable[[str], bool] = field(default=_nothing, compare=False)


def shell_actor() -> Actor:
    """The operating system's user, whose authority is that they may read the worker's
    clouds.yaml: the commands open the cloud with it before they ask for anything."""
    uid = os.getuid()
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a uid without a passwd entry, as in some containers
        name = f"uid {uid}"
    return Actor(id=f"shell:{uid}", name=f"{name} (shell)", may=lambda rule: True)
