"""What the inner layers say, in the language of the reader.

`core`, `plan` and `services` know nothing of Django and speak English; their sentences are the
keys that are looked up here. One with values in it is found by its pattern. What is in neither
list is shown as it is: what Nova said, names, and what is rare.
"""

import re
from functools import lru_cache

from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _

from ukcloud_maintenance.core.states import MigrationState

#: How many sentences one of ours may consist of.
LONGEST = 4
#: Values that are words of ours too, and those that are whole sentences.
_WORDS = frozenset({"state", "before", "after", "place", "dest"})
_SENTENCES = frozenset({"text", "what"})


def said(text: str) -> str:
    """A text of the inner layers, translated as far as it is known, sentence by sentence: it is a
    reason and a remedy, or a line for each instance."""
    return _said(get_language() or "", text) if text else ""


@lru_cache(4096)
def _said(language: str, text: str) -> str:
    return "\n".join(_line(line) for line in text.split("\n"))


def _line(line: str) -> str:
    if found := _OF_INSTANCE.fullmatch(line):
        name, state, why = found.groups()
        return f"{name} ({_value('state', state)}){': ' + _line(why) if why else ''}"
    if (whole := _fixed(line)) is not None:
        return whole
    pieces = [_fixed(one) or _with_values(one) for one in line.split("; ")]
    if len(pieces) > 1 and all(pieces):
        return "; ".join(filter(None, pieces))  # a list of what was changed
    parts = line.split(". ")
    parts = [f"{part}." for part in parts[:-1]] + parts[-1:]
    told: list[str] = []
    at = 0
    while at < len(parts):
        until, words = _next(parts, at)
        told.append(words)
        at = until
    return " ".join(told)


def _next(parts: list[str], at: int) -> tuple[int, str]:
    """What is known from here on, and where it ends: the longest without values, else the
    shortest with values, since a value can have full stops in it but should not eat what is
    said after it."""
    ends = range(at + 1, min(at + LONGEST, len(parts)) + 1)
    for end in reversed(ends):
        if (words := _fixed(" ".join(parts[at:end]))) is not None:
            return end, words
    for end in ends:
        if (words := _with_values(" ".join(parts[at:end]))) is not None:
            return end, words
    return at + 1, _after_name(parts[at])


def _after_name(sentence: str) -> str:
    """What is said of one of several, behind its name."""
    name, colon, rest = sentence.partition(": ")
    words = _fixed(rest) or _with_values(rest) if colon else None
    return f"{name}: {words}" if words else sentence


def _fixed(sentence: str) -> str | None:
    return _(sentence) if sentence in _KNOWN else None


def _with_values(sentence: str) -> str | None:
    for known, pattern in _PATTERNS:
        if found := pattern.fullmatch(sentence):
            return _(known) % {name: _value(name, v) for name, v in found.groupdict().items()}
    return None


def _value(name: str, value: str) -> str:
    if name in _SENTENCES:
        return _line(value)
    return _(value) if name in _WORDS and value in _KNOWN else value


def _pattern(sentence: str) -> re.Pattern[str]:
    """What matches a sentence with any values in it."""
    parts = re.split(r"%\((\w+)\)s", sentence)
    return re.compile(
        "".join(f"(?P<{p}>.*?)" if n % 2 else re.escape(p) for n, p in enumerate(parts)), re.S
    )


#: A line of a drain's message: the name of an instance, its state (Nova's, where it is none of
#: the drain), and why.
_OF_INSTANCE = re.compile(rf"(.+?) \(({'|'.join(MigrationState)}|[A-Z_]+)\)(?:: (.*))?")

#: Sentences, and words that stand in others.
_FIXED = (
    # what the preflight says of an instance (core/preflight)
    gettext_noop("It was chosen to stay."),
    gettext_noop("Choose otherwise for this instance."),
    gettext_noop("Ask the owner, or choose live or cold migration for it."),
    gettext_noop("Ask the owner, or choose cold migration for it."),
    gettext_noop("Choose cold migration for it: its owner agrees to that."),
    gettext_noop("Unlock it, or let the drain move locked instances."),
    gettext_noop("It is being built."),
    gettext_noop("It is looked at again while the drain runs."),
    gettext_noop("It is suspended, and Nova does not migrate suspended instances."),
    gettext_noop("Resume it."),
    gettext_noop("It is shelved, but its disk is still on its host."),
    gettext_noop("Offload it (shelve offload), or unshelve it."),
    gettext_noop("It is deleted, but kept on its host until it is reclaimed."),
    gettext_noop("Force the deletion, or restore it."),
    gettext_noop("It is in rescue mode, and Nova does not migrate it in this state."),
    gettext_noop("Unrescue it."),
    gettext_noop("It is in ERROR, and Nova does not migrate it in this state."),
    gettext_noop("Look into its fault, and reset or rebuild it."),
    gettext_noop("A resize or cold migration of it waits for confirmation."),
    gettext_noop("Confirm or revert the resize, or choose that the drain confirms it."),
    gettext_noop("It is in ERROR, though Nova last saw its guest running."),
    gettext_noop(
        "Make sure on the hypervisor that the guest runs here and nowhere else (virsh list),"
        " then set its state to active."
    ),
    gettext_noop("Once confirmed, the resize cannot be reverted."),
    gettext_noop("Its resize is confirmed, as was chosen; then it is looked at again."),
    gettext_noop("It is paused, and Nova cold-migrates only what runs or is shut off."),
    gettext_noop("Unpause it, or choose live migration for it."),
    gettext_noop("Start it or stop it, so that status and guest agree."),
    gettext_noop(
        "It is paused: QEMU migrates such guests, but a stuck one cannot be forced through."
    ),
    gettext_noop(
        "It is stopped, moved and started again: its user loses it for that time, and all that"
        " is in its memory."
    ),
    gettext_noop("No other host can receive: all are disabled, down or being drained."),
    gettext_noop("Enable another host, or drain fewer at a time."),
    gettext_noop("Make room, or enable another host."),
    gettext_noop("Shut it off, or choose cold migration for it."),
    # what could not be read around them (preflight.py)
    gettext_noop("names of the projects"),
    gettext_noop("server groups"),
    gettext_noop("aggregates and availability zones"),
    gettext_noop("room on the other hosts"),
    # of the wishes of an admin
    gettext_noop("It has left the host; what is wrong with it is there."),
    gettext_noop("It has left the host."),
    # of a host in maintenance and of its return
    gettext_noop("OpenStack does not answer as it should."),
    gettext_noop("Leave the service as it is: the maintenance ends all the same."),
    gettext_noop("Bring the cell back first."),
    gettext_noop("Or: leave the service as it is: the maintenance ends all the same."),
    gettext_noop("Choose whether it is enabled all the same, or left as it is."),
    gettext_noop("The service is enabled; waiting until Nova sees it up."),
    gettext_noop(
        "The service is enabled (it was enabled by somebody else); waiting until Nova sees it up."
    ),
    gettext_noop("The service was enabled, and is disabled without a reason again; waiting."),
    # of a drain (core/drain)
    gettext_noop("The host was not given back, so nothing is brought back to it."),
    gettext_noop("Its window was over before a worker could begin."),
    gettext_noop("Give it a new one, and resume it."),
    gettext_noop("The window is over, and nothing new is started."),
    gettext_noop(
        "The compute service was enabled by somebody while the drain runs: new instances may land"
        " on the host."
    ),
    gettext_noop("It is left as it is; disable it again, or cancel the drain."),
    gettext_noop("It is on this host again."),
    gettext_noop("The drain was cancelled before its turn came."),
    gettext_noop("It was deleted."),
    gettext_noop("Nova has the request whose answer got lost."),
    gettext_noop("The request never reached Nova."),
    gettext_noop("Nova took the request and began nothing."),
    gettext_noop("OpenStack is busy and asks the worker to wait."),
    gettext_noop("The worker cannot work on this drain."),
    gettext_noop("The migration was aborted."),
    gettext_noop("The migration failed and was rolled back."),
    gettext_noop("The migration ended in error."),
    gettext_noop("The migration was reverted by somebody else."),
    gettext_noop("Its migration was aborted, because the drain was cancelled."),
    gettext_noop("Its migration was aborted, after its timeout."),
    gettext_noop("Look at the evidence; where it is complete, the state can be reset to active."),
    gettext_noop("Do not start or rebuild it before."),
    gettext_noop("Nova's record of the migration is gone, and the server is still here."),
    gettext_noop(
        "Look on both hosts where it runs (virsh list) before it is started, stopped or reset: a"
        " second copy of it would damage its disk."
    ),
    gettext_noop(
        "Look into the log of nova-compute; when the guest is known to run here, reset its state."
    ),
    gettext_noop("Confirm or revert the resize."),
    gettext_noop("The compute service is enabled."),
    gettext_noop("The compute service stays disabled."),
    gettext_noop("The compute service could not be enabled again."),
    gettext_noop("Whether the compute service is enabled again is not known."),
    gettext_noop("It did not come back in time."),
    gettext_noop("Cancelled."),
    gettext_noop("Drained."),
    gettext_noop("All that is left is blocked, and looked at again for a time."),
    gettext_noop("Verifying that it is empty."),
    gettext_noop("An unconfirmed one (finished) still holds its disk and allocation here."),
    gettext_noop("It waits for a member of its anti-affinity group that is on its way."),
    gettext_noop("It waits, because as many are under way as the settings allow."),
    gettext_noop("Nova was asked to set it to active."),
    gettext_noop("Another resize of it has begun since, which is not ours to confirm."),
    # of the preflight, those added later
    gettext_noop("Nova says SHUTOFF, but its guest was last seen running."),
    gettext_noop(
        "It is shut off: nothing of it runs that could be migrated live, so it goes cold."
    ),
    gettext_noop("It has no resize that could be confirmed."),
    gettext_noop("Together with the others of this drain there is no place for it."),
    # of what the record says (store)
    gettext_noop("Waiting for a worker."),
    gettext_noop("Nova is asked to enable the service."),
    gettext_noop("A drain of this host was asked for."),
    gettext_noop("What had failed on this host is tried again."),
    gettext_noop("It appeared on the host after the drain began."),
    gettext_noop("Cancelled; waiting for the migrations under way to end."),
    gettext_noop("Cancelled before it began; nothing was touched."),
    gettext_noop("The drain was cancelled before it began."),
    gettext_noop("What is under way lands; the service is enabled again."),
    gettext_noop("What is under way lands; the service is left as it is."),
    gettext_noop("What is under way is aborted; the service is enabled again."),
    gettext_noop("What is under way is aborted; the service is left as it is."),
    # of what is refused (services)
    gettext_noop("Try again."),
    # of its flavor and its groups (core/bindings.py, core/surroundings.py)
    gettext_noop("Enable such a host."),
    gettext_noop(
        "Delete the server group, if its owner agrees: its members stay, and are free to go."
    ),
    gettext_noop("Enable a host of this zone, or unpin the instance (2.104)."),
    gettext_noop(
        "Aggregates keep every host that can receive for other projects or flavors: if the"
        " scheduler heeds them, it finds none."
    ),
    gettext_noop("Enable another host, or move a member of the group away from one."),
    gettext_noop("Have it rebuilt elsewhere, or let it stay."),
    gettext_noop("Its memory is encrypted (SEV), and Nova does not live-migrate it."),
    gettext_noop(
        "It has a TPM: it is live-migrated only where all compute services of its cell are of"
        " 2026.1 or later."
    ),
    gettext_noop(
        "Choose live migration where the alias is live_migratable (2025.1 and later), or cold."
    ),
    gettext_noop(
        "It has a virtual GPU: both hosts need QEMU 8.1, libvirt 8.6, a driver that can migrate it,"
        " and the same type free."
    ),
    gettext_noop(
        "Only its user can read the secret of its TPM: Nova may not be able to start it again for"
        " an administrator."
    ),
    # of a drain, those with others around it
    gettext_noop(
        "Resume it to go on without a window, give it a new one and resume it then, or cancel it."
    ),
    gettext_noop("Nothing new is started until it is back."),
    gettext_noop(
        "Waits for its turn: as many are under way in the region as MAX_IN_REGION allows."
    ),
    gettext_noop(
        "Waits for its turn: as many are under way whose destination is not known yet as"
        " MAX_PER_DESTINATION allows."
    ),
    gettext_noop("the drain is cancelled, and what is under way is aborted."),
    gettext_noop(
        "OpenStack stopped answering while it migrated; where the guest runs is not known."
    ),
    gettext_noop("Look at it when OpenStack is back."),
    gettext_noop("It can be tried again."),
    # of what is refused, those without a remedy of their own
    gettext_noop("it is not part of the drain."),
    # how steps by hand and questions to OpenStack read (cloud)
    gettext_noop("list the compute services"),
    gettext_noop("list the hypervisors"),
    gettext_noop("list the server groups"),
    gettext_noop("list the aggregates"),
    gettext_noop("list the projects"),
    gettext_noop("read what the hosts can take"),
    gettext_noop("read which microversions Nova offers"),
    # words that stand in others
    gettext_noop("this host"),
    gettext_noop("the destination"),
    gettext_noop("another host"),
    gettext_noop("not known to Nova"),
    gettext_noop("unknown to Nova"),
    gettext_noop("running"),
    gettext_noop("paused"),
    gettext_noop("cancelling"),
    gettext_noop("pending"),
    gettext_noop("submitted"),
    gettext_noop("migrating"),
    gettext_noop("succeeded"),
    gettext_noop("skipped"),
    gettext_noop("down"),
    gettext_noop("it was over before."),
    gettext_noop("another attempt has begun since."),
    gettext_noop("enabled"),
    gettext_noop("disabled"),
    gettext_noop("blocked"),
    gettext_noop("confirming"),
    gettext_noop("gone"),
    gettext_noop("failed"),
    gettext_noop("stays"),
    gettext_noop("cancelled"),
    gettext_noop("unknown"),
    # where a guest runs, and what is not looked at
    gettext_noop("The worker cannot work on this host."),
    gettext_noop("Nova says that the migration is completed, but has the server on its source."),
    gettext_noop("It is PAUSED, and Nova tells only of guests that run."),
    gettext_noop("It is shut off, so no hypervisor can tell where its newest disk is."),
    gettext_noop(
        "A resize or cold migration that is not confirmed holds its disk and allocation on "
        "both hosts: confirm or revert it."
    ),
    gettext_noop("The host is empty."),
    gettext_noop(
        "Look into its fault, and check with virsh list on the hypervisor whether its guest runs."
    ),
    gettext_noop("A rebuild would erase the disk of a guest that is alive."),
    gettext_noop(
        "It is a bare metal node of Ironic's: the instance is the machine, and Nova moves it "
        "in no way."
    ),
    gettext_noop("Ask its owner to move what runs on it."),
    gettext_noop(
        "Until that is known do not start, stop, reboot, rebuild, evacuate, migrate or reset it."
    ),
    gettext_noop(
        "Where its disks are local, the newest data are on the host on which the guest runs, "
        "and the copy on the other host is out of date."
    ),
    gettext_noop("Nova 33 and 34 leave servers so after an abort."),
    gettext_noop(
        "Look at the evidence: where it is complete, Reset to Active corrects Nova's "
        "database, and the instance can be retried."
    ),
    gettext_noop("Do not start or rebuild it: its guest is alive."),
    gettext_noop(
        "Check with virsh list that the guest runs on this hypervisor and on no other that it"
        " was migrated to."
    ),
    gettext_noop("Only then set its state to active; do not start or rebuild it."),
    gettext_noop(
        "As long as nova-compute of the source is up, the guest keeps running there, "
        "uninterrupted; what was copied so far is discarded, and the instance is still to be "
        "moved."
    ),
    gettext_noop(
        "Nova 33 and 34 may set the server to ERROR two seconds later, although its guest runs."
    ),
    gettext_noop("It is asked again."),
)
_KNOWN = frozenset(_FIXED)

#: Sentences with values in them. Where two match, the first is taken.
_WITH_VALUES = (
    # preflight
    gettext_noop("Its local disk of %(size)s is copied too, unless the hosts share storage."),
    gettext_noop("Its owner asks that it stays (%(name)s)."),
    gettext_noop("Its owner does not want it %(way)s-migrated (%(name)s)."),
    gettext_noop("It is locked%(why)s; that does not keep an administrator."),
    gettext_noop("It is locked%(why)s, and this drain leaves locked instances alone."),
    gettext_noop("Nova is busy with it (task %(task)s)."),
    gettext_noop("No host has room for it now; %(host)s comes nearest and lacks %(missing)s."),
    gettext_noop(
        "Together with the others of this drain there is no place for it: %(host)s then lacks"
        " %(missing)s."
    ),
    # steering
    gettext_noop("Taken off the list by %(who)s."),
    # return
    gettext_noop("Nova has no compute service of host %(host)s (any more)."),
    gettext_noop("Nova does not reach the cell of host %(host)s, so its state is unknown."),
    gettext_noop("Nova does not reach the cell of host %(host)s, so the service was not enabled."),
    gettext_noop("Nova does not reach the cell of host %(host)s; waiting for it."),
    gettext_noop("Nova does not reach the cell of host %(host)s."),
    gettext_noop(
        "It was forced down, and Nova does not see it up before somebody undoes that (%(command)s)."
    ),
    gettext_noop(
        "It was not us who disabled the service of host %(host)s: it is disabled with the reason"
        ' "%(reason)s".'
    ),
    gettext_noop(
        "It was not us who disabled the service of host %(host)s: it is disabled without a reason."
    ),
    gettext_noop(
        'The service was enabled, and is disabled with the reason "%(reason)s" again; waiting.'
    ),
    gettext_noop("timeout action %(action)s, was %(before)s"),
    gettext_noop("window start removed, was %(before)s"),
    gettext_noop("window start %(time)s, was %(before)s"),
    gettext_noop("window start %(time)s"),
    gettext_noop("window end removed, was %(before)s"),
    gettext_noop("window end %(time)s, was %(before)s"),
    gettext_noop("window end %(time)s"),
    gettext_noop("%(n)s migrations at once, was %(before)s"),
    # drain
    gettext_noop("%(left)s of %(n)s left the host."),
    gettext_noop("%(left)s of %(n)s are back on %(host)s."),
    gettext_noop("Nova did not take an abort: %(text)s"),
    gettext_noop("Nova did not take force complete: %(text)s"),
    gettext_noop("it is %(state)s by now."),
    gettext_noop("Nova refused the abort: %(error)s"),
    gettext_noop("Nova refused to force it: %(error)s"),
    gettext_noop("Nova refused to reset it: %(error)s"),
    gettext_noop("Nova refused: %(error)s"),
    gettext_noop("It was not reset: %(text)s"),
    gettext_noop("The answer got lost: %(error)s"),
    gettext_noop("Still blocked: %(text)s"),
    gettext_noop("It was still under way (%(state)s) when the wait of %(n)s s for it ended."),
    gettext_noop(
        "Nova may go on with it: look whether it is on %(place)s or on %(dest)s before it is"
        " touched, and abort the migration if it does not end."
    ),
    gettext_noop("Nova lists no compute service for host %(host)s any more."),
    gettext_noop("Host %(host)s is down."),
    gettext_noop("The compute service of host %(host)s is disabled."),
    gettext_noop(
        "Where the guest runs cannot be told from here; look on %(place)s and on %(dest)s before"
        " anything is started or reset."
    ),
    gettext_noop("It was moved %(n)s times and is here again."),
    gettext_noop("It is %(status)s now."),
    gettext_noop("It is on no host any more (%(status)s)."),
    gettext_noop("It was moved to %(host)s by somebody else."),
    gettext_noop("Nova moves it to %(host)s for somebody else (task %(task)s)."),
    gettext_noop(
        "It runs on %(host)s, but a resize or cold migration of it waits for its confirmation, and"
        " its disk is still on %(place)s."
    ),
    gettext_noop("It takes longer than the %(n)s s that its memory explains."),
    gettext_noop("It has been copied for more than its timeout of %(n)s s."),
    gettext_noop(
        "The server is in ERROR on %(place)s after its %(method)s migration (%(record)s)."
    ),
    gettext_noop(
        "Nova does nothing with the server any more, but its record of the migration says"
        " %(status)s still."
    ),
    gettext_noop(
        "Nova says that the migration is completed, but has the server on %(place)s still."
    ),
    gettext_noop("The guest may run on %(place)s or on %(dest)s."),
    gettext_noop("It runs on, on %(place)s."),
    gettext_noop("Its migration was aborted, as %(who)s asked."),
    gettext_noop(
        "Its migration was aborted, and Nova set the server to ERROR afterwards (record:"
        " %(status)s)."
    ),
    gettext_noop("Some releases do that although the guest runs on, unharmed, on %(place)s."),
    gettext_noop(
        "Nova has no record of the migration, but Nova's task %(task)s on the server does not end."
    ),
    gettext_noop(
        "Nova took the request and has not begun the migration (%(status)s): its message was lost,"
        " or nova-conductor does not work."
    ),
    gettext_noop(
        "Nova took the request and has not begun the migration (%(status)s): its message was lost,"
        " or nova-conductor does not work, but Nova's task %(task)s on the server does not end."
    ),
    gettext_noop(
        "The migration is over (%(status)s), but Nova's task %(task)s on the server does not end."
    ),
    gettext_noop("It is on %(host)s by now, but Nova's task %(task)s on it does not end."),
    gettext_noop("It arrived on %(host)s in ERROR."),
    gettext_noop("It arrived on %(host)s as %(status)s; it was %(initial)s before."),
    gettext_noop(
        "It is on %(host)s in VERIFY_RESIZE, and Nova does not confirm it; its disk is still on"
        " this host."
    ),
    gettext_noop("It runs on %(host)s."),
    gettext_noop("It is %(status)s on %(host)s."),
    gettext_noop("Nova runs %(n)s at once here."),
    gettext_noop(
        "The compute service stays disabled, because somebody else gave a reason for it"
        " (%(reason)s)."
    ),
    gettext_noop(
        "No server is left, but Nova has unfinished migrations with this host as their source:"
        " %(records)s."
    ),
    gettext_noop("Nova does not migrate an instance in status %(status)s."),
    gettext_noop("Nova says %(status)s, but its guest was last seen %(power)s."),
    # flavor, groups
    gettext_noop("Its flavor asks for %(asks)s, and no host that can receive is like that."),
    gettext_noop(
        "Its group %(group)s (affinity) has no member on another host, and Nova sends it nowhere"
        " else, not even when all leave."
    ),
    gettext_noop(
        "It is pinned to the availability zone %(zone)s, which no aggregate makes: Nova does not"
        " look at it any more, older releases find no host."
    ),
    gettext_noop(
        "It is pinned to the availability zone %(zone)s, in which no other host can receive."
    ),
    gettext_noop("It may be parted from the others of its group %(group)s (soft affinity)."),
    gettext_noop("It may come to a host with others of its group %(group)s (soft anti-affinity)."),
    gettext_noop("Its group %(group)s (affinity) sends it to %(host)s."),
    gettext_noop("Its group %(group)s (affinity) lets it go only where another member is."),
    gettext_noop(
        "Every host that can receive has a member of its group %(group)s (anti-affinity)."
    ),
    gettext_noop(
        "%(n)s members of its group %(group)s (anti-affinity) leave, and the other hosts can take"
        " %(room)s."
    ),
    gettext_noop("It has a TPM (secret security %(security)s), and Nova does not live-migrate it."),
    gettext_noop(
        "It has a PCI device (%(alias)s), and Nova does not live-migrate it unless the alias says"
        " so."
    ),
    gettext_noop(
        "It has an accelerator (device profile %(profile)s), and Nova migrates those in no way."
    ),
    gettext_noop("It needs a PCI device (%(alias)s) on its new host too."),
    gettext_noop(
        "It has a PCI device (%(alias)s): Nova refuses unless the alias is live_migratable."
    ),
    gettext_noop(
        "It asks for %(asks)s: Nova looks for a host that has them free in the right place, which"
        " the estimate does not see."
    ),
    # drain, with others
    gettext_noop(
        "Waits for its turn: the services of all hosts of the plan are disabled first (%(hosts)s)."
    ),
    gettext_noop(
        "Waits for its turn: as many are under way to %(hosts)s as MAX_PER_DESTINATION allows."
    ),
    gettext_noop("Waits for its turn: %(hosts)s first."),
    gettext_noop("it did not answer %(n)s requests."),
    gettext_noop("It is %(status)s now: %(method)s migration."),
    gettext_noop("Its state was reset to active, as %(who)s asked; it runs on %(host)s."),
    # cloud
    gettext_noop("Could not %(what)s: %(error)s"),
    gettext_noop("Could not %(what)s (HTTP %(status)s)"),
    gettext_noop("read the compute service of host %(host)s"),
    gettext_noop("read the hypervisor of host %(host)s"),
    gettext_noop("list the servers of host %(host)s"),
    gettext_noop("count the servers of host %(host)s"),
    gettext_noop("read server %(id)s"),
    gettext_noop("read the allocations of resource provider %(id)s"),
    gettext_noop("list the migrations from host %(host)s"),
    gettext_noop("list the migrations from and to host %(host)s"),
    gettext_noop("list the migrations of server %(id)s"),
    gettext_noop("read the diagnostics of server %(id)s"),
    # where a guest runs
    gettext_noop(
        "Look on %(host)s and on %(dest)s with `virsh list --all --uuid`: which of them has "
        "domain %(id)s, and on which does it run?"
    ),
    gettext_noop("The hypervisor of %(host)s says that the guest runs there."),
    gettext_noop("The hypervisor of %(host)s has no running guest of it."),
    gettext_noop(
        "The hypervisor of %(host)s says that the guest runs there, but Nova's own words or "
        "its power state say otherwise."
    ),
    gettext_noop("The hypervisor of %(host)s did not say whether the guest runs there."),
    gettext_noop("It runs on %(place)s."),
    gettext_noop("The server is in ERROR after its %(method)s migration (%(record)s)."),
    gettext_noop(
        "The compute service of %(host)s is not up: until it is back, whether the guest still"
        " runs there is not known, and Nova is asked for nothing."
    ),
)
_PATTERNS = [(sentence, _pattern(sentence)) for sentence in _WITH_VALUES]
