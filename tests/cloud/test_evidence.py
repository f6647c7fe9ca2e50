"""Servers in ERROR on the real Nova: whose guest runs at the source, and whose does not."""

import time
from datetime import datetime

import pytest

from tests.cloud.watching import copying
from ukcloud_maintenance.cloud import Cloud
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.host.certificate import HostObservation, certify, is_safe
from ukcloud_maintenance.core.host.evidence import ErrorSight, weigh
from ukcloud_maintenance.demo.config import REGION
from ukcloud_maintenance.exceptions import CloudError
from ukcloud_maintenance.messages import english

MIB = 1024**2
SLOW = f"rate={16 * MIB}"


@pytest.fixture(scope="module")
def gateway(cloud):
    return Cloud(cloud.session("worker"), REGION)


def look(gateway, server_id: str, source: str, *, aborted: bool):
    """The evidence as it is now."""
    server, service = gateway.server(server_id), gateway.service(source)
    records = gateway.migrations_of(server_id)
    diagnostics, words = None, None
    read_at = datetime.now(UTC)
    try:
        diagnostics = gateway.diagnostics(server_id)
    except CloudError as error:
        words = error.cause
    sight = ErrorSight(
        server=server,
        source=source,
        record=records[0],
        aborted_by_us=aborted,
        was_cancelled=aborted,
        newer_migrations=records,
        diagnostics=diagnostics,
        diagnostics_error=words,
        service=service,
        read_at=read_at,
    )
    return weigh(sight, datetime.now(UTC))


def failed(weighed) -> set[str]:
    return {check.code for check in weighed.checks if not check.passed}


def test_after_an_abort_that_turned_to_error_the_evidence_is_complete(cloud, gateway):
    server = cloud.create_server("ev-late", host="cmp1", play=f"late-error-after-abort {SLOW}")
    cloud.live_migrate(server)
    migration = copying(cloud, server)["id"]
    assert not look(gateway, server, "cmp1", aborted=False).complete
    gateway.abort_migration(server, migration)
    cloud.wait_for_migration(server, "error")
    cloud.wait(lambda: cloud.server(server)["status"] == "ERROR", "the server is in ERROR")

    weighed = look(gateway, server, "cmp1", aborted=True)
    assert weighed.complete, weighed.checks
    assert failed(look(gateway, server, "cmp1", aborted=False)) == {"aborted"}

    gateway.reset_state_to_active(server)
    assert failed(look(gateway, server, "cmp1", aborted=True)) == {"server_in_error"}
    assert cloud.guests()[server] == ["cmp1"]


def test_where_the_guest_went_while_nova_says_source_it_never_is(cloud, gateway):
    """Not at any time, although everything that Nova's database tells is as after an abort."""
    server = cloud.create_server("ev-landed", host="cmp1", play="landed-but-source after=0.5")
    cloud.live_migrate(server)
    cloud.wait(lambda: cloud.migrations(server), "there is a record")
    in_error_since, looks = None, 0
    while looks < 5 or time.monotonic() < in_error_since + 2:
        if cloud.server(server)["status"] == "ERROR":
            in_error_since, looks = in_error_since or time.monotonic(), looks + 1
        weighed = look(gateway, server, "cmp1", aborted=True)
        assert not weighed.complete
    assert cloud.guests()[server] != ["cmp1"]
    assert failed(weighed) == {"guest_runs"}
    assert "virsh" in " ".join(map(english, weighed.by_hand))


def test_where_the_guest_is_shut_off_at_the_source_it_is_not(cloud, gateway):
    server = cloud.create_server("ev-shutoff", host="cmp1", play="error-in-copy")
    cloud.live_migrate(server)
    cloud.wait(lambda: cloud.server(server)["status"] == "ERROR", "the server is in ERROR")
    assert failed(look(gateway, server, "cmp1", aborted=False)) == {"aborted"}
    cloud.action(server, {"os-stop": None})
    cloud.wait_for_server(server, "SHUTOFF")
    cloud.change_state(server, "ERROR")
    assert "guest_runs" in failed(look(gateway, server, "cmp1", aborted=True))


# -- the certificate of the same Nova ---------------------------------------------------------


def certificate_of(gateway, host: str):
    before = gateway.service(host)
    servers, migrations = gateway.servers_on(host), gateway.migrations_touching(host)
    unfinished = {m.server_id for m in migrations if not m.is_over}
    hypervisors = gateway.hypervisors_of(host)
    return certify(
        HostObservation(
            host=host,
            before=before,
            servers=servers,
            migrations=migrations,
            servers_of_migrations={id_: gateway.server(id_) for id_ in unfinished},
            hypervisors=hypervisors,
            allocations=gateway.allocations_on([h.id for h in hypervisors]),
            after=gateway.service(host),
        )
    )


def test_a_host_is_safe_once_the_last_thing_has_left_it(own_cloud):
    gateway = Cloud(own_cloud.session("worker"), REGION)
    server = own_cloud.create_server("last", host="cmp10", state="SHUTOFF")
    assert failed_codes(gateway) == {"service_disabled", "no_servers", "no_allocations"}
    gateway.disable_service(gateway.service("cmp10").id, "new memory")
    assert failed_codes(gateway) == {"no_servers", "no_allocations"}

    own_cloud.action(server, {"migrate": None})
    own_cloud.wait_for_server(server, "VERIFY_RESIZE")
    assert failed_codes(gateway) == {"no_resizes", "no_allocations"}
    held = certificate_of(gateway, "cmp10")[-1]
    assert "migration " in english(held.details[0])
    own_cloud.action(server, {"confirmResize": None})
    own_cloud.wait_for_server(server, "SHUTOFF")
    assert is_safe(certificate_of(gateway, "cmp10"))

    own_cloud.control_host("cmp10", "stop")
    own_cloud.wait(lambda: not gateway.service("cmp10").is_up, "Nova sees that it is down")
    assert failed_codes(gateway) == {"service_up"}
    own_cloud.control_host("cmp10", "start")


def failed_codes(gateway) -> set[str]:
    return {c.code for c in certificate_of(gateway, "cmp10") if not c.passed}
