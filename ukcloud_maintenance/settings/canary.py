"""The canary: a small instance that a host must be able to run before it is returned."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .actions import Action
from .parts import Parts
from .schema import Wrong, setting


@dataclass(frozen=True)
class CanarySettings:
    """What is built.

    :ivar image: the id of an image
    :ivar flavor: the id of a flavor
    :ivar network: the id of a network, or "none"
    :ivar seconds: after which it must be ACTIVE; as long it may take to be deleted
    """

    image: str
    flavor: str
    network: str = "none"
    seconds: float = 300.0


def read_canary(given: Any) -> CanarySettings | None:
    """None for an empty dict.

    :raises Wrong: with all that is wrong
    """
    if not given:
        return None
    found: list[str] = []
    one = Parts(given, "", found)
    read = CanarySettings(
        image=one.text("image"),
        flavor=one.text("flavor"),
        network=one.text("network", "none"),
        seconds=one.number("seconds", 300, 10, 3600),
    )
    one.close()
    if found:
        raise Wrong(found)
    return read


def canary_problems(
    actions: Mapping[str, Action], canary: CanarySettings | None
) -> Iterator[tuple[str, str]]:
    """(problem, remedy) pairs; a problem begins with the key."""
    for name, action in actions.items():
        if "canary" in action.checks and canary is None:
            yield (
                f'["ACTIONS"][{name!r}]["checks"] has "canary", and "CANARY" is not set.',
                'Set "CANARY" to the image and the flavor of the instance, or take the check out.',
            )


#: The field of the settings.
CANARY: Any = setting(
    {},
    "a dict: image, flavor, network, seconds",
    "The instance that the check `canary` of an action builds on a host before it is returned to"
    " service: the ids of its image and flavor, of a network or `none`, and the seconds after which"
    " it must be ACTIVE (300). See the page Maintenance actions of the documentation.",
    parse=read_canary,
)
