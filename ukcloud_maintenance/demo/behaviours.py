"""What a server's metadata can ask the simulated driver to play.

The key ``demo:live_migration`` holds names and parameters, separated by spaces, for example
``rollback at=0.5 fail_times=1``. Names can be combined where that makes sense
(``bouncing late-error-after-abort``). Without the key the copy is *plain*: bytes are null while
preparing and for a moment after, then *remaining* falls steadily, and the server arrives.

What the API shows for each (source and destination mean compute hosts):

=========================== ======================================================================
name                        what happens
=========================== ======================================================================
``plain``                   completed; the default
``slow-prepare``            stays ``preparing`` for ``seconds`` (10)
``null-bytes``              ``running`` with null bytes for ``seconds`` (3) before it copies
``early-zero``              the first sample (and those of the first ``seconds``) are 0/0/0
``bouncing``                a guest that writes: *remaining* goes down, up, down; *processed*
                            passes the total; then completed
``overshoot``               *remaining* falls steadily, *processed* ends at 1.6 times the total
``disk-first``              disk bytes run from 0 to their total while memory is 0/0/0, then memory
``fail-destination-check``  every destination (or ``to=HOST`` only) refuses: migration ``error``
                            without destination, server ACTIVE at the source, no fault; the reason
                            is in the action's event
``fail-source-check``       the same, refused by the source
``fail-pre``                preparing the destination fails: ``failed``, ACTIVE at the source
``rollback``                the copy fails at the fraction ``at`` (0.5) and is rolled back:
                            ``failed``, ACTIVE at the source
``error-in-copy``           an exception at ``at`` (0.5): ``error``, server ERROR at the source
``error-after-copy``        an exception at the source after the copy: ``error``, server ERROR, host
                            is the destination
``landing-fails``           an exception at the destination after the copy: ``error``, server
                            ERROR, host is the destination
``stall``                   stops at ``at`` (0.5) for ever; abort ends it, force complete doesn't
``never-converges``         copies for ever, *remaining* between a tenth and two fifths; abort and
                            force complete end it
``late-error-after-abort``  Nova 33 and 34: after an abort ``cancelled`` and ACTIVE, and ``after``
                            (1.5) seconds later ``error`` and ERROR; the guest runs on unharmed.
                            With ``timeout=SECONDS`` Nova aborts by itself, as after
                            ``live_migration_completion_timeout``
``stuck-running``           copied in full, then nothing: the record stays ``running`` and the
                            server MIGRATING, abort and force complete are accepted and do
                            nothing; a restart of the source's nova-compute ends it (``error``,
                            ACTIVE)
``outlives-compute``        where the source's nova-compute is killed during the copy, libvirt goes
                            on alone and is done ``after`` (2) seconds. A nova-compute that is
                            started before that aborts it: ``error``, ACTIVE, the guest at the
                            source. One that comes later finds no guest: ``error``, ACTIVE at the
                            source, no task, power state running, and the guest runs at the
                            destination alone. One more live migration to that host destroys it
``landed-but-source``       the guest runs at the destination and the database says source: record
                            ``running`` with old bytes for ``after`` (2) seconds, then ``error``,
                            and the server ERROR at the source
``completed-but-source``    record ``completed``, server ACTIVE, host is still the source
``post-copy``               force complete switches to post-copy: status ``running (post-copy)``
                            for ``seconds`` (3), not listed below ``/servers/{id}/migrations``;
                            then completed. With ``at=FRACTION`` it switches by itself
=========================== ======================================================================

Parameters for every name:

=================== ==============================================================================
``fail_times=N``    play this for the server's first N live migrations, then be plain
``from=HOST``       only when leaving HOST
``to=HOST``         only on the way to HOST
``rate=BYTES``      bytes per second for this server (alone it makes a slow plain copy)
=================== ==============================================================================

Force complete without ``post-copy`` pauses the guest at once and copies the rest more slowly
(``CloudConfig.force_complete_slowdown``), then completed. An abort of a migration that is queued
or preparing is Nova's own doing and always clean.

``GET /servers/{id}/diagnostics`` is answered from the guests that the host really has, whatever
the database says: with ``landed-but-source`` and ``outlives-compute`` the source refuses from the
moment the guest went. A restart of nova-compute leaves every guest where it is; only a restart of
the whole demo takes them from the database.

The key ``demo:cold_migration`` knows ``fail`` (refused on the source: migration ``error``, server
as before), ``fail-finish`` (an exception at the destination: server ERROR) and ``slow``
(``seconds``, 5), and takes ``fail_times``, ``from`` and ``to`` too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

LIVE_KEY = "demo:live_migration"
COLD_KEY = "demo:cold_migration"

LIVE_NAMES = frozenset(
    {
        "plain",
        "slow-prepare",
        "null-bytes",
        "early-zero",
        "bouncing",
        "overshoot",
        "disk-first",
        "fail-destination-check",
        "fail-source-check",
        "fail-pre",
        "rollback",
        "error-in-copy",
        "error-after-copy",
        "landing-fails",
        "stall",
        "never-converges",
        "late-error-after-abort",
        "stuck-running",
        "landed-but-source",
        "outlives-compute",
        "completed-but-source",
        "post-copy",
    }
)
COLD_NAMES = frozenset({"plain", "fail", "fail-finish", "slow"})


@dataclasses.dataclass(frozen=True)
class Play:
    """The behaviour of one migration of one server."""

    names: frozenset[str] = frozenset()
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def number(self, parameter: str, default: float) -> float:
        return float(self.parameters.get(parameter, default))

    def applies(self, attempt: int, source: str | None, dest: str | None) -> bool:
        """Whether this is to be played for the server's ``attempt``-th migration (from 1)."""
        wanted = self.parameters
        return (
            attempt <= int(wanted.get("fail_times", attempt))
            and wanted.get("from", source) == source
            and wanted.get("to", dest) == dest
        )


PLAIN = Play()


def parse(text: str | None, known: frozenset[str] = LIVE_NAMES) -> Play:
    """Read a metadata value; a name that is not ``known`` is a ValueError, since a typo in a
    test's metadata would otherwise make the test pass for nothing."""
    words = (text or "").split()
    names = frozenset(word for word in words if "=" not in word)
    if unknown := names - known:
        raise ValueError(f"unknown behaviour {', '.join(sorted(unknown))}")
    return Play(names, dict(word.split("=", 1) for word in words if "=" in word))
