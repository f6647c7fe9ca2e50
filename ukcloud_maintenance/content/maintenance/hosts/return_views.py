"""Giving a host back to service."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from horizon import messages

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import RULE_RETURN
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import ReturnChoice
from ukcloud_maintenance.exceptions import CloudError, Refused, UnknownHost
from ukcloud_maintenance.services import ReturnRequest

from ..common import formats
from ..common.addresses import PANEL, of_host
from ..common.base import PanelView, problem_of, uncached
from ..common.words import remedy, said
from ..preflight.words import verdict_html

#: what is entered
_FIELDS = ("choice", "max_concurrent")


class ReturnHostView(PanelView):
    """Ask how a host is to be returned (GET), and ask for it (POST)."""

    rule = RULE_RETURN
    http_method_names = ["get", "head", "post"]
    title = gettext_lazy("Return to Service")

    def get(self, request, host):
        return self._ask(host, {})

    def post(self, request, host):
        entered = request.POST
        at_once = entered.get("max_concurrent", "").strip()
        try:
            if "choice" not in entered:
                raise Refused(message("choice_missing"), field="choice")
            asked = ReturnRequest(
                host,
                entered["choice"],
                "bring_back" in entered,
                _whole_number(at_once) if at_once else None,
                "also_moved" in entered,
            )
            services.return_host(self.actor, self.cloud, asked)
        except Refused as error:
            if isinstance(error, UnknownHost):
                raise
            return self._ask(host, entered, error)
        except CloudError as error:
            if error.status == 401:
                raise
            return self._ask(host, entered, error)
        messages.success(
            request, _("The return of host %(host)s to service was requested.") % {"host": host}
        )
        return redirect(f"{PANEL}:host", host)

    def _ask(self, host: str, entered, error: Exception | None = None) -> HttpResponse:
        preview = services.return_preview(self.actor, self.cloud, host)
        # What is wrong with a field is said beside it.
        field = error.field if isinstance(error, Refused) and error.field in _FIELDS else ""
        problem = problem_of(preview.refusal) if field else problem_of(error or preview.refusal)
        wrong = said(error.said) if field and isinstance(error, Refused) else ""
        chosen = entered.get("choice") or (preview.default.value if preview.default else "")
        before, now = preview.maintenance, preview.service
        shown = self.dialog(
            "hosts/_return",
            [(host, of_host("host", host, self.region))],
            host=host,
            problem=problem,
            choice_error=wrong if field == "choice" else "",
            at_once_error=wrong if field == "max_concurrent" else "",
            preview=preview,
            found=_service_words(before.found_status, before.found_reason),
            now=_service_words(now.status, now.disabled_reason) if now else _service_words("", ""),
            choices=_choices(preview, chosen),
            instances=[_returnable(one) for one in preview.instances],
            moved_since=[_returnable(one) for one in preview.moved_since],
            bring_back="bring_back" in entered,
            also_moved="also_moved" in entered,
            max_concurrent=entered.get("max_concurrent") or preview.max_concurrent,
            ceiling=preview.max_concurrent_ceiling,
            submit_url=of_host("return_host", host, self.region),
        )
        return uncached(shown)


def _returnable(one: services.Returnable) -> dict:
    return {
        "name": one.server.name or one.server.id,
        "host": one.server.host,
        "left_to": one.row.dest_compute,
        "status": one.server.status,
        "memory": formats.size(one.server.memory_bytes),
        "said": verdict_html(one.server, one.verdict),
    }


def _whole_number(text: str) -> int:
    if not text.isdecimal() or len(text) > 4:
        raise Refused(
            message("max_concurrent_no_number", words=text[:20]),
            code="max_concurrent_out_of_range",
            field="max_concurrent",
        )
    return int(text)


def _service_words(status: str, reason: str) -> str:
    if not status:
        return _("Nova has no compute service of this host")
    words = {"enabled": _("enabled"), "disabled": _("disabled")}.get(status, status)
    return f"{words}: {reason}" if reason else words


#: what each choice is called
CHOICE_NAMES = {
    ReturnChoice.OURS: gettext_lazy("Enable the service if a drain disabled it"),
    ReturnChoice.ENABLE: gettext_lazy("Enable the service, whoever disabled it"),
    ReturnChoice.LEAVE: gettext_lazy("Leave the service unchanged"),
}


def _choices(preview: services.ReturnPreview, chosen: str) -> list[dict]:
    """What can be chosen, with what it does, or why it cannot be. Two that do the same are one."""
    outlooks = preview.outlooks
    shown = list(ReturnChoice)
    if outlooks[ReturnChoice.OURS] == outlooks[ReturnChoice.ENABLE]:
        shown.remove(ReturnChoice.ENABLE)
    return [
        {
            "value": choice.value,
            "name": CHOICE_NAMES[choice]
            if len(shown) == len(ReturnChoice) or choice is ReturnChoice.LEAVE
            else _("Enable the service"),
            "outlook": outlooks[choice],
            "text": said(outlooks[choice].message, remedy=False),
            "remedy": remedy(outlooks[choice].message),
            "chosen": choice.value == chosen and outlooks[choice].allowed,
        }
        for choice in shown
    ]
