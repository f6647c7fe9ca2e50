"""Who asks. Every function of `services` takes an actor; there is no default."""

import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass, field

from .printable import printable

#: The policy rules of this product (scope `maintenance` in Horizon's POLICY_FILES).
RULE_VIEW = "maintenance:view"
RULE_DRAIN = "maintenance:drain"
RULE_CANCEL = "maintenance:cancel"
RULE_STEER = "maintenance:steer"
RULE_ABORT = "maintenance:abort"
RULE_FORCE = "maintenance:force_complete"
RULE_RESET = "maintenance:reset"
RULE_RETURN = "maintenance:return"
RULE_ROLL = "maintenance:roll"
RULE_AFFECTED = "maintenance:affected"


def _nothing(rule: str) -> bool:
    return False


#: The longest name that is recorded, in characters.
NAME_LENGTH = 255


@dataclass(frozen=True)
class Actor:
    """Somebody who asks for something. As text it is the name, as it is recorded.

    :param id: Keystone's user id, or ``shell:<uid>``
    :param name: what is shown and recorded, e.g. ``admin`` or ``root (shell)``
    :param may: tells whether the policy allows a rule; the default denies everything
    """

    id: str
    name: str
    may: Callable[[str], bool] = field(default=_nothing, compare=False)

    def __str__(self) -> str:
        return self.name[:NAME_LENGTH]


def shell_actor() -> Actor:
    """The operating system's user, whose authority is that they may read the worker's
    clouds.yaml: the commands open the cloud with it before they ask for anything.

    It is the user by uid: ``LOGNAME`` and ``USER`` are what anybody says. So is ``SUDO_USER``,
    but where it tells of another one than the uid, an honest sudo is the likely reason.
    """
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a uid without a passwd entry, as in some containers
        name = f"uid {uid}"
    sudo = os.environ.get("SUDO_USER", "")
    if sudo and sudo != name:
        name = f"{name} (sudo: {printable(sudo[:64])})"
    return Actor(id=f"shell:{uid}", name=f"{printable(name)} (shell)", may=lambda rule: True)
