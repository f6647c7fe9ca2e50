"""The words for what becomes of a copy that takes too long."""

from django.utils.translation import gettext as _

from ukcloud_maintenance.core.states import TimeoutAction


def timeout_action(action: str) -> str:
    """What becomes of a copy that takes too long, in a word or two."""
    words = {
        TimeoutAction.WARN.value: _("mark the migration and let it continue"),
        TimeoutAction.ABORT.value: _("abort it; retry if Nova leaves the instance ACTIVE"),
        TimeoutAction.FORCE.value: _("force it to complete"),
    }
    return words.get(action, action)


def timeout_choices() -> list[tuple[str, str]]:
    """The same to choose from, with the consequence."""
    return [
        (
            TimeoutAction.WARN.value,
            _("Mark it and let it continue: no guest is interrupted, but the drain may take long."),
        ),
        (
            TimeoutAction.ABORT.value,
            _(
                "Abort it: the guest is not interrupted, but the data copied so far is discarded."
                " If Nova leaves the instance ACTIVE, it is retried. Nova 33 and 34 set it to ERROR"
                " although the guest keeps running; its state is then unknown, and the drain fails"
                " until somebody has checked it."
            ),
        ),
        (
            TimeoutAction.FORCE.value,
            _(
                "Force it to complete: the guest is paused until the rest is copied, which its"
                " users notice."
            ),
        ),
    ]
