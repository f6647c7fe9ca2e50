"""The configuration files of Keystone, Placement and Nova, as the demo cloud wants them."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from . import databases, identity, instrumentation
from .config import REGION, CloudConfig

DRIVER = "demo_cloud.SimulatedDriver"
"""Nova's ``compute_driver``, looked up below ``nova.virt.``: see ``simulated_driver.install``."""


def write(state: Path, base_url: str, transport_url: str, config: CloudConfig) -> None:
    """Write the services' configuration files; nothing in them outlives a start.

    :param base_url: where the control plane answers, without a path
    :param transport_url: over which Nova's services talk to each other
    """
    password = identity.read_secrets(state)["nova"]
    account = f"""
auth_type = password
auth_url = {base_url}/identity/v3
username = nova
password = {password}
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = {REGION}
"""
    validation = f"""
[keystone_authtoken]
www_authenticate_uri = {base_url}/identity/v3
service_token_roles = service
service_token_roles_required = true
cache = {instrumentation.TOKEN_CACHE}
{account}"""
    etc = state / "etc"
    # Without a file, each check of a policy looks for one in half a dozen directories.
    policy = f"""
[oslo_policy]
policy_file = {etc}/policy.yaml
"""

    def write(name: str, text: str) -> None:
        path = etc / name
        path.touch(mode=0o600)
        path.write_text(text)

    write("policy.yaml", "{}\n")
    write(
        "keystone.conf",
        f"""
[DEFAULT]
public_endpoint = {base_url}/identity
max_token_size = 512
log_file = {state}/log/keystone.log
[cache]
backend = dogpile.cache.memory_pickle
[database]
connection = {databases.url_of(state, "keystone")}
sqlite_synchronous = false
[identity]
password_hash_rounds = 4
[token]
expiration = {config.token_expiration_seconds}
[fernet_tokens]
key_repository = {state}/keys/fernet
[fernet_receipts]
key_repository = {state}/keys/fernet
[credential]
key_repository = {state}/keys/credential
[oslo_messaging_notifications]
driver = noop
{policy}
""",
    )
    write(
        "placement.conf",
        f"""
[DEFAULT]
log_file = {state}/log/placement.log
[api]
auth_strategy = keystone
[placement_database]
connection = {databases.url_of(state, "placement")}
sqlite_synchronous = false
{validation}
{policy}
""",
    )
    write(
        "nova.conf",
        f"""
[DEFAULT]
host = control
my_ip = 127.0.0.1
state_path = {state}/nova
log_file = {state}/log/nova.log
transport_url = {transport_url}
compute_driver = {DRIVER}
report_interval = {config.report_interval_seconds}
service_down_time = {config.service_down_seconds}
rpc_response_timeout = {config.rpc_response_seconds}
reclaim_instance_interval = {config.reclaim_seconds}
update_resources_interval = {config.resources_interval_seconds}
allow_resize_to_same_host = false
initial_cpu_allocation_ratio = 4
reserved_host_memory_mb = 0
vif_plugging_timeout = 0
vif_plugging_is_fatal = false
sync_power_state_interval = -1
heal_instance_info_cache_interval = -1
periodic_fuzzy_delay = 60
[api]
response_validation = ignore
[compute]
live_migration_wait_for_vif_plug = false
[database]
connection = {databases.url_of(state, "nova_cell1")}
sqlite_synchronous = false
[api_database]
connection = {databases.url_of(state, "nova_api")}
sqlite_synchronous = false
[quota]
instances = -1
cores = -1
ram = -1
server_groups = -1
server_group_members = -1
metadata_items = -1
[vnc]
enabled = false
[cache]
enabled = true
backend = dogpile.cache.memory
[image_cache]
manager_interval = -1
[oslo_concurrency]
lock_path = {state}/nova/locks
[oslo_messaging_notifications]
driver = noop
[placement]
{account}
[service_user]
send_service_user_token = true
{account}
[neutron]
{account}
[glance]
region_name = {REGION}
{validation}
{policy}
""",
    )


def nova_paste_file() -> Path:
    """Nova's own ``api-paste.ini``, which its wheel installs below the environment's ``etc``."""
    for file in metadata.files("nova") or ():
        if file.name == "api-paste.ini":
            return Path(file.locate()).resolve()
    raise SystemExit("the installed nova has no api-paste.ini")
