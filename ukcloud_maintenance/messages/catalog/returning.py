"""What is said of a host's return to service."""

from collections.abc import Mapping

from ..template import Template

_CHOOSE = "Choose whether to enable it anyway or to leave it unchanged."

TEMPLATES: Mapping[str, Template] = {
    # -- what a choice would do
    "service_gone": Template(
        "Nova has no compute service of host {host}.",
        remedy="Choose to leave the service unchanged: the maintenance then ends.",
    ),
    "service_unknown": Template(
        "Nova does not reach the cell of host {host}, so its state is unknown.",
        remedy="Restore the cell first. Or choose to leave the service unchanged: the"
        " maintenance then ends.",
    ),
    "not_ours": Template(
        "The service of host {host} was not disabled by a drain: it is disabled {how}.",
        remedy=_CHOOSE,
    ),
    "ends_without_nova": Template("The maintenance ends; nothing is changed in Nova."),
    "enabled_already": Template(
        "The service is already enabled. The maintenance ends when Nova reports the host up."
    ),
    "enables_ours": Template(
        'The service, which a drain disabled ("{reason}"), will be enabled. The maintenance'
        " ends when Nova reports the host up."
    ),
    "enables_theirs": Template(
        "The service will be enabled, although no drain disabled it (it is disabled {how}). The"
        " maintenance ends when Nova reports the host up."
    ),
    "stays_enabled": Template("The maintenance ends at once. The service stays enabled."),
    "stays_disabled_by_us": Template(
        'The maintenance ends at once. The service stays disabled ("{reason}").'
    ),
    "stays_disabled": Template("The maintenance ends at once. The service stays disabled {how}."),
    "stays_disabled_as_found": Template(
        "The maintenance ends at once. The service stays disabled {how}, as it was before the"
        " maintenance."
    ),
    "with_reason": Template('with the reason "{reason}"'),
    "without_reason": Template("without a reason"),
    "up_when_undone": Template(
        "The service is forced down: Nova does not report it up until that is undone (openstack"
        " compute service set --up {host} nova-compute)."
    ),
    # -- how it goes
    "left_alone": Template(
        "Not brought back, because somebody else has moved them since: {names}."
    ),
    "moved_to": Template("{name} (on {host})"),
    "service_being_enabled": Template("Nova was told to enable the service."),
    "enable_answer_lost": Template(
        "The service is enabled, although Nova's answer to the request was lost."
    ),
    "waits_for_cell": Template("Waiting for the cell of host {host}, which Nova does not reach."),
    "waits_until_up": Template("The service is enabled. Waiting for Nova to report it up."),
    "waits_until_up_by_other": Template(
        "The service is enabled (by somebody else). Waiting for Nova to report it up."
    ),
    "disabled_again_for_now": Template(
        "The service was enabled, but is now disabled again {how}. Waiting."
    ),
    # -- how it ended
    "in_service": Template("The service is enabled, and Nova reports it up."),
    "in_service_by_other": Template(
        "The service is enabled (by somebody else), and Nova reports it up."
    ),
    "not_up": Template(
        "The service is enabled, but Nova did not report it up in time. {forced} New instances"
        " are placed there as soon as its nova-compute reports."
    ),
    "not_up_by_other": Template(
        "The service is enabled (by somebody else), but Nova did not report it up in time."
        " {forced} New instances are placed there as soon as its nova-compute reports."
    ),
    "enabled_but_down": Template("The service is enabled but down."),
    "disabled_again": Template(
        "The service was enabled, but then somebody disabled it again {how}. It stays disabled."
    ),
    "enabled_cell_lost": Template(
        "The service was enabled, but Nova no longer reaches the cell of host {host}, so it is"
        " unknown whether the host is up."
    ),
    "enabled_openstack_lost": Template(
        "The service was enabled, but OpenStack stopped answering, so it is unknown whether the"
        " host is up. {detail}"
    ),
    "nothing_to_enable": Template(
        "Nova has no compute service of host {host}, so there is nothing to enable.",
        remedy="Its nova-compute registers a service when it starts.",
    ),
    "left_without_service": Template("Nova has no compute service of host {host}."),
    "left_without_cell": Template(
        "The service was not changed; Nova does not reach the cell of host {host}."
    ),
    "left_disabled": Template("The service was not changed: it is disabled {how}."),
    "left_unknown": Template("The service was not changed; its current state is unknown. {detail}"),
    "cell_lost": Template(
        "Nova does not reach the cell of host {host}, so the service was not enabled.",
        remedy="Request the return to service again when the cell is back.",
    ),
    "not_ours_any_more": Template(
        "The service was not enabled: it is now disabled {how}, which is not the reason that the"
        " drain wrote.",
        remedy=_CHOOSE,
    ),
    "openstack_lost": Template(
        "OpenStack did not answer in time, so it is unknown whether the service is enabled.",
        remedy="Request the return to service again when OpenStack answers. {detail}",
    ),
}
