"""What a run would do, before it is requested: everything of the review that is not a template."""

from dataclasses import dataclass
from functools import cached_property

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance import store
from ukcloud_maintenance.core.run.states import OnFailure
from ukcloud_maintenance.services import RunPreview
from ukcloud_maintenance.services.runs import RunHostPreview

from ..common import formats, timeouts, words
from ..common.addresses import of_host
from . import labels as run_labels


@dataclass(frozen=True)
class ReviewRow:
    """One host of the review, as the table shows it."""

    place: int
    host: str
    url: str
    domains: str
    instances: str
    takes: str
    begins: SafeString | str
    ends: SafeString | str
    wrong: str = ""


class Review:
    """:param region: the one that is chosen"""

    def __init__(self, preview: RunPreview, region: str):
        self.preview = preview
        self.region = region
        self.now = store.now()

    @property
    def request(self):
        return self.preview.request

    @cached_property
    def rows(self) -> list[ReviewRow]:
        forecast = self.preview.forecast.hosts
        return [
            self._row(place, one, forecast[place] if place < len(forecast) else None)
            for place, one in enumerate(self.preview.hosts)
        ]

    def _row(self, place: int, one: RunHostPreview, opening) -> ReviewRow:
        wrong = words.said(one.refusal.said) if one.refusal else ""
        if not wrong and one.host in self.preview.never_fit:
            wrong = _("No window is long enough for this host.")
        n = len(one.servers)
        instances = ngettext("%(n)s instance, %(size)s", "%(n)s instances, %(size)s", n) % {
            "n": formats.number(n),
            "size": formats.size(one.memory_bytes),
        }
        return ReviewRow(
            place + 1,
            one.host,
            of_host("host", one.host, self.region),
            ", ".join(one.domains) or formats.NOTHING,
            instances if n else _("no instance"),
            formats.about(one.seconds),
            formats.when(opening[0], self.now) if opening else formats.NOTHING,
            formats.when(opening[1], self.now) if opening else formats.NOTHING,
            wrong,
        )

    @property
    def refused(self) -> list[str]:
        """The hosts that cannot be drained now."""
        return [one.host for one in self.preview.hosts if one.refusal is not None]

    @property
    def can_be_requested(self) -> bool:
        return not self.refused and not self.preview.never_fit

    @property
    def headline(self) -> str:
        n = len(self.preview.hosts)
        said = ngettext("%(n)s host, %(pace)s.", "%(n)s hosts, %(pace)s.", n) % {
            "n": formats.number(n),
            "pace": run_labels.pace(self.request),
        }
        return f"{said} {self.end}"

    @property
    def end(self) -> str:
        ends = self.preview.forecast.ends
        if ends is None:
            return _("No end can be forecast: some hosts fit no window.")
        return _("Ends about %(time)s, in about %(left)s.") % {
            "time": formats.clock(ends, self.now),
            "left": formats.about(max((ends - self.now).total_seconds(), 1)),
        }

    @property
    def moves(self) -> str:
        rolling = self.preview.rolling
        said = ngettext(
            "%(n)s move of an instance is needed; any order needs at least %(least)s.",
            "%(n)s moves of instances are needed; any order needs at least %(least)s.",
            rolling.moves,
        ) % {"n": formats.number(rolling.moves), "least": formats.number(rolling.at_least)}
        if self.request.bring_back:
            said += " " + _("Bringing instances back adds a move for each of them.")
        return said

    @property
    def no_room_later(self) -> str:
        """What the estimate of the whole run finds no room for, or empty."""
        n = self.preview.rolling.no_room
        return (
            ngettext(
                "For %(n)s of these moves there is no room at its time, as far as can be told now.",
                "For %(n)s of these moves there is no room at their time, as far as can be told"
                " now.",
                n,
            )
            % {"n": formats.number(n)}
            if n
            else ""
        )

    @property
    def room(self) -> str:
        n = min(self.request.at_once, len(self.preview.hosts))
        return ngettext(
            "There is room for all instances of the fullest host.",
            "There is room for all instances of the %(n)s fullest hosts together.",
            n,
        ) % {"n": formats.number(n)}

    @property
    def lacks(self) -> str:
        """What is missing, or empty."""
        return words.said(self.preview.lacks)

    @property
    def windows(self) -> str:
        if not self.request.windows:
            return _("Hosts begin at any time: no windows are set.")
        if self.preview.never_fit:
            return _("No window is long enough for: %(names)s.") % {
                "names": formats.abbreviate(self.preview.never_fit)
            }
        return _("Every host fits a window.")

    @property
    def found(self) -> list[str]:
        """What is wrong in the region already, and does not hold the run back."""
        said = []
        if down := self.preview.found_down:
            said.append(
                ngettext(
                    "%(n)s host of the region is down already: %(names)s.",
                    "%(n)s hosts of the region are down already: %(names)s.",
                    len(down),
                )
                % {"n": formats.number(len(down)), "names": formats.abbreviate(down)}
            )
        if errors := sorted(self.preview.found_in_error.values(), key=formats.natural_key):
            said.append(
                ngettext(
                    "%(n)s instance is in ERROR already: %(names)s.",
                    "%(n)s instances are in ERROR already: %(names)s.",
                    len(errors),
                )
                % {"n": formats.number(len(errors)), "names": formats.abbreviate(errors)}
            )
        return said

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What was chosen, in words."""
        asked, each = self.request, self.request.each
        order = run_labels.chosen(run_labels.order_choices(), asked.order)
        approval = run_labels.chosen(run_labels.approval_choices(), asked.approval)
        none = asked.on_failure == OnFailure.SKIP and not asked.failures
        failure = _("stop until a person decides") if none else run_labels.on_failure(asked)
        domain = run_labels.chosen(run_labels.domain_choices(), asked.domain)
        if asked.aggregates:
            domain += f": {', '.join(asked.aggregates)}"
        yes = _("yes") if asked.bring_back else _("no")
        locked = _("yes") if each.move_locked else _("no")
        return [
            (_("Reason"), each.reason),
            (_("Maintenance action"), run_labels.action_name(asked.action)),
            (_("Order"), order),
            (_("Failure domain"), domain),
            (_("Windows"), "; ".join(asked.windows) or _("any time")),
            (_("If a host fails"), failure),
            (_("Approval"), approval),
            (_("Bring instances back"), yes),
            (_("Migrations at once"), formats.number(each.max_concurrent or 0)),
            (_("Move locked instances"), locked),
            (_("A copy that takes too long"), timeouts.timeout_action(each.timeout_action or "")),
        ]
