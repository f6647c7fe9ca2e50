"""What a row of an instance told of its newest attempt becomes an attempt, and what it told of
requests becomes requests; the events tell of the earlier ones. And back.

Everything here is as it was when this was written: nothing of it may follow the code.
"""

import json

AT_ONCE = 500

#: The fields of the newest attempt, by their names in both.
SAME = (
    *("before_migration_id", "before_action", "submitted_at", "request_id", "nova_migration_id"),
    *("nova_status", "was_cancelled", "queued_since", "running_since", "late_since"),
    *("timed_out_at", "source_service", "confirms", "confirm_at", "memory_total_bytes"),
    *("memory_processed_bytes", "memory_remaining_bytes", "disk_total_bytes"),
    *("disk_remaining_bytes", "rate_bytes", "fraction", "sampled_at", "points", "course"),
    "seconds_left",
)
UNDER_WAY = ("submitted", "migrating", "confirming")
WAITING = ("pending", "blocked")
#: How an attempt ended, by the kind of the event that ended it; by the state of its instance.
ENDS = {
    "attempt_failed": "failed",
    "failed": "failed",
    "aborted": "aborted",
    "succeeded": "succeeded",
    "gone": "gone",
    "cancelled": "cancelled",
    "unknown": "unknown",
    "blocked": "blocked",
    "resize_settled": "confirmed",
}
RESULTS = {
    "pending": "failed",
    "blocked": "blocked",
    "succeeded": "succeeded",
    "gone": "gone",
    "failed": "failed",
    "cancelled": "cancelled",
    "unknown": "unknown",
}
ASKED = {"abort_asked": "abort", "force_asked": "force_complete", "reset_asked": "reset"}
TAKEN = {"aborting": "abort", "forced": "force_complete", "reset": "reset"}
REFUSED = {
    "abort_refused": "abort",
    "force_refused": "force_complete",
    "reset_refused": "reset",
}


def forwards(apps, schema_editor):
    alias = schema_editor.connection.alias
    model = {name: apps.get_model("ukcloud_maintenance", name) for name in MODELS}
    rows = model["InstanceMigration"].objects.using(alias)
    # One that was cut off is done once more.
    rows.exclude(newest_attempt=None).update(newest_attempt=None)
    model["Attempt"].objects.using(alias).all().delete()
    model["Request"].objects.using(alias).all().delete()
    batch = []
    for row in rows.order_by("pk").iterator(AT_ONCE):
        batch.append(row)
        if len(batch) == AT_ONCE:
            _fill(model, alias, batch)
            batch = []
    _fill(model, alias, batch)


MODELS = ("Attempt", "Drain", "Event", "InstanceMigration", "Request")


def _fill(model, alias, rows):
    events = {}
    found = model["Event"].objects.using(alias).filter(migration__in=[row.pk for row in rows])
    for event in found.order_by("at", "id"):
        events.setdefault(event.migration_id, []).append(event)
    attempts, requests = [], []
    for row in rows:
        told = _Record(model, row)
        for event in events.get(row.pk, ()):
            told.read(event)
        told.agree_with_the_row()
        attempts += told.attempts
        requests += told.requests
    model["Attempt"].objects.using(alias).bulk_create(attempts)
    model["Request"].objects.using(alias).bulk_create(requests)
    newest = {}
    made = model["Attempt"].objects.using(alias).filter(migration__in=[row.pk for row in rows])
    for pk, migration_id in made.order_by("number").values_list("pk", "migration_id"):
        newest[migration_id] = pk
    changed = [row for row in rows if row.pk in newest]
    for row in changed:
        row.newest_attempt_id = newest[row.pk]
    model["InstanceMigration"].objects.using(alias).bulk_update(changed, ["newest_attempt"])


class _Record:
    """The attempts and requests of one instance, as they are read from its events."""

    def __init__(self, model, row):
        self.model = model
        self.row = row
        self.attempts = []
        self.requests = []
        self.goes_on = False
        self.was_put_off = False
        self.timed_out = False

    # -- by events

    def read(self, event):
        kind, at = event.kind, event.at
        if kind in ("submitted", "adopted"):
            if kind == "submitted" or not self.goes_on:
                self.begin(at, event.request_id, _host(event))
        elif kind == "copying" and self.goes_on:
            self.attempts[-1].running_since = at
            self.attempts[-1].sent_to = _host(event) or self.attempts[-1].sent_to
        elif kind == "confirm_asked":
            if not self.goes_on:
                self.begin(at, event.request_id, "", method="confirm")
            self.attempts[-1].confirm_at = at
            self.attempts[-1].request_id = event.request_id  # as the row has it
        elif kind in ("attempt_failed", "failed") and not self.goes_on:
            if "nova_refused" in _said(event.message):
                self.begin(at, event.request_id, "")
                self.end(event)
        elif kind in ENDS and self.goes_on:
            self.end(event)
        self.was_put_off = kind == "put_off" or (self.was_put_off and not self.goes_on)
        self.timed_out = kind == "timed_out" or self.timed_out
        if kind in ASKED:
            self.request(ASKED[kind], at, "admin", event.actor)
        elif kind in TAKEN:
            found = self.open(TAKEN[kind]) or self.by_drain(TAKEN[kind], at)
            found.state, found.taken_at, found.request_id = "taken", at, event.request_id
            found.tries, found.tried_at = 1, at
        elif kind in REFUSED:
            found = self.open(REFUSED[kind]) or self.by_drain(REFUSED[kind], at)
            found.state, found.answer, found.request_id = "refused", event.message, event.request_id

    def by_drain(self, kind, at):
        """What no admin asked for: the drain did, after a timeout or because it was cancelled."""
        by_timeout = self.timed_out or kind == "force_complete"
        return self.request(kind, at, "timeout" if by_timeout else "cancel", "")

    def begin(self, at, request_id, host, method=""):
        if self.goes_on:
            self.attempts[-1].ended_at, self.attempts[-1].result = at, "failed"
        self.attempts.append(
            self.model["Attempt"](
                migration=self.row,
                number=len(self.attempts) + 1,
                method=method or self.row.method or "live",
                source_compute=self.row.source_compute,
                submitted_at=at,
                request_id=request_id,
                asked_host=host,
                sent_to=host,
            )
        )
        self.goes_on, self.timed_out = True, False

    def end(self, event):
        one = self.attempts[-1]
        one.ended_at, one.result, one.message = event.at, ENDS[event.kind], event.message
        one.code = "aborted" if event.kind == "aborted" else ""
        self.goes_on = False
        for request in self.requests:
            if request.state == "open":
                request.state = "lapsed"

    def request(self, kind, at, origin, by):
        made = self.model["Request"](
            migration=self.row,
            attempt_number=len(self.attempts),
            kind=kind,
            origin=origin,
            requested_by=by,
            requested_at=at,
        )
        self.requests.append(made)
        return made

    def open(self, kind):
        same = [r for r in self.requests if r.kind == kind and r.state == "open"]
        return same[-1] if same else None

    # -- by the row, which has the last word

    def agree_with_the_row(self):
        row = self.row
        if self.is_known():
            if not self.is_the_newest():
                if self.goes_on:
                    self.attempts[-1].result = "failed"
                    self.attempts[-1].ended_at = row.submitted_at or row.updated_at
                    self.goes_on = False
                self.begin(row.submitted_at, row.request_id, row.dest_compute)
            self.take_from_the_row(self.attempts[-1])
        self.take_requests()

    def is_known(self):
        """Whether the row tells of an attempt that Nova may know of."""
        row = self.row
        if row.state in UNDER_WAY or row.nova_migration_id is not None or row.request_id:
            return True
        if row.submitted_at is None or row.state in WAITING or self.was_put_off:
            return False
        # One that stepped back, and whose drain ended then, was never sent.
        return bool(self.attempts) or row.state == "unknown" or row.code == "never_sent"

    def is_the_newest(self):
        """Whether the attempt that the events tell of last is the one that the row tells of."""
        if not self.attempts:
            return False
        last, row = self.attempts[-1], self.row
        if row.request_id and last.request_id:
            return row.request_id == last.request_id or last.method == "confirm"
        return row.submitted_at is None or last.submitted_at >= row.submitted_at

    def take_from_the_row(self, one):
        row = self.row
        for name in SAME:
            value = getattr(row, name)
            if name in ("running_since", "submitted_at", "queued_since") and value is None:
                continue  # it was forgotten when the attempt ended
            setattr(one, name, value)
        if row.state in UNDER_WAY:
            one.method = row.method or one.method
        one.sent_to = row.dest_compute or one.sent_to
        if row.state in UNDER_WAY:
            one.ended_at, one.result, one.code, one.message = None, "", "", None
        elif one.ended_at is None:
            one.ended_at = row.finished_at or row.updated_at
            one.result = "aborted" if row.code == "aborted" else RESULTS.get(row.state, "failed")
            one.code, one.message = row.code, row.message
        elif row.state not in WAITING:
            one.code = one.code or row.code

    def take_requests(self):
        row, number = self.row, len(self.attempts)
        if row.aborted_migration_id is None:  # a cancel's would be known by that
            for request in self.requests:
                if request.attempt_number == number and request.origin == "cancel":
                    request.origin = "timeout"
        else:
            found = self.latest("abort", number) or self.request("abort", row.updated_at, "", "")
            found.origin, found.requested_by = _origin(row.aborted_by)
            found.nova_migration_id = row.aborted_migration_id
            found.tries, found.taken_at = max(found.tries, 1), row.aborted_at
            found.state = "taken" if row.aborted_at else "lapsed"
        if row.forced_at is not None:
            found = self.latest("force_complete", number)
            found = found or self.request("force_complete", row.forced_at, "timeout", "")
            found.state, found.taken_at, found.tries = "taken", row.forced_at, max(found.tries, 1)
        if row.wish:
            self.take_the_open_one()
        for request in self.requests:
            if request.state == "open" and not row.wish:
                request.state = "lapsed"
        known = {(r.kind, r.origin) for r in self.requests if r.attempt_number == number}
        if row.timeout_asked and (row.timeout_asked, "timeout") not in known:
            at = row.timed_out_at or row.updated_at
            self.request(row.timeout_asked, at, "timeout", "").state = "lapsed"
        if row.answer is not None and self.requests:
            self.requests[-1].answer = row.answer

    def take_the_open_one(self):
        row = self.row
        kind = "force_complete" if row.wish == "force_complete" else row.wish
        found = self.open(kind)
        if found is None:
            found = self.latest(kind, len(self.attempts)) if row.wish == "abort" else None
            if found is None or found.state == "taken":
                found = self.request(kind, row.wish_at or row.updated_at, "", "")
        for other in self.requests:
            if other is not found and other.state == "open":
                other.state = "lapsed"
        self.requests.remove(found)
        self.requests.append(found)
        found.state, found.open_key = "open", row.pk
        found.origin, found.requested_by = _origin(row.wish_by)
        found.nova_migration_id = row.wish_migration_id
        found.tries = row.wish_tries
        found.tried_at = row.wish_at if row.wish_tries else None

    def latest(self, kind, number):
        same = [r for r in self.requests if r.kind == kind and r.attempt_number == number]
        return same[-1] if same else None


def _origin(by):
    """Who requested something, by the name that was kept."""
    if by == "timeout":
        return "timeout", ""
    return ("admin", by) if by else ("cancel", "")


def _by(request):
    return "timeout" if request.origin == "timeout" else request.requested_by


def _host(event):
    said = event.message
    return str(said.values.get("host", "")) if said is not None else ""


def _said(message):
    return json.dumps([message.code, message.values], default=_values) if message else ""


def _values(value):
    """What no JSON is: a message within a message, a time."""
    if hasattr(value, "code"):
        return [value.code, value.values]
    return list(value) if isinstance(value, tuple | set) else str(value)


def backwards(apps, schema_editor):
    alias = schema_editor.connection.alias
    model = {name: apps.get_model("ukcloud_maintenance", name) for name in MODELS}
    rows = model["InstanceMigration"].objects.using(alias).select_related("newest_attempt")
    columns = [*SAME, "forced_at", "timeout_asked", "answer", *ABORTED, *WISHED]
    batch = []
    for row in rows.order_by("pk").iterator(AT_ONCE):
        batch.append(row)
        if len(batch) == AT_ONCE:
            _empty(model, alias, batch, columns)
            batch = []
    _empty(model, alias, batch, columns)
    open_ones = model["Request"].objects.using(alias).filter(open_key__isnull=False)
    drains = list(open_ones.order_by().values_list("migration__drain_id", flat=True))
    model["Drain"].objects.using(alias).filter(pk__in=drains).update(errand=True)


ABORTED = ("aborted_migration_id", "aborted_by", "aborted_at")
WISHED = ("wish", "wish_by", "wish_at", "wish_migration_id", "wish_tries")


def _empty(model, alias, rows, columns):
    by_row = {}
    found = model["Request"].objects.using(alias).filter(migration__in=[row.pk for row in rows])
    for request in found.order_by("pk"):
        by_row.setdefault(request.migration_id, []).append(request)
    for row in rows:
        if row.newest_attempt is None and row.pk not in by_row:
            continue
        _give_back(row, by_row.get(row.pk, []))
        # so many columns at a time are slower for many rows in one statement
        row.save(using=alias, update_fields=columns)


def _give_back(row, requests):
    one = row.newest_attempt
    number = one.number if one else 0
    if one is not None:
        for name in SAME:
            setattr(row, name, getattr(one, name))
        if row.state not in (*UNDER_WAY, "succeeded"):
            row.running_since = row.queued_since = None  # forgotten when an attempt ended
    ours = [r for r in requests if r.attempt_number == number]
    for request in ours:
        if request.kind == "abort" and request.tries:
            kept = request.state in ("open", "taken") or request.origin == "cancel"
            if kept or (request.state == "lapsed" and request.taken_at):
                row.aborted_migration_id = request.nova_migration_id or row.nova_migration_id
                row.aborted_by, row.aborted_at = _by(request), request.taken_at
        if request.kind == "force_complete" and request.taken_at:
            row.forced_at = request.taken_at
        if request.origin == "timeout" and request.state != "withdrawn":
            row.timeout_asked = request.kind
    if ours:
        row.answer = ours[-1].answer
    for request in requests:
        if request.state == "open":
            row.wish, row.wish_by = request.kind, _by(request)
            row.wish_at = request.tried_at or request.requested_at
            row.wish_migration_id = request.nova_migration_id
            row.wish_tries = request.tries
