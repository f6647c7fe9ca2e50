"""What is said of requests to OpenStack that went wrong."""

from collections.abc import Mapping

from ..template import Template

#: What went wrong, and which setting is to be changed.
FAILURES = {
    "cloud_failed": Template(
        "Could not {what}", cause="OpenStack did not do what was requested, and gave no reason."
    ),
    "cloud_failed_because": Template(
        "Could not {what}: {detail}",
        cause="No usable answer came; the detail is the network's or ours.",
    ),
    "cloud_status": Template(
        "Could not {what} (HTTP {status})", cause="OpenStack refused or failed, and gave no reason."
    ),
    "cloud_refused": Template(
        "Could not {what}: {detail} (HTTP {status})",
        cause="OpenStack refused or failed; the detail is quoted from it.",
    ),
    "cloud_setting": Template(
        "{cause:inline}.",
        remedy="{advice}",
        cause="A request to OpenStack failed because of a setting that can be changed.",
    ),
}

#: What was asked; it stands behind "Could not".
ASKED = {
    "to_abort_migration": Template("abort migration {migration} of server {server}"),
    "to_build_server": Template("build server {name}"),
    "to_change_allocations": Template("change the allocations of consumer {consumer}"),
    "to_change_traits": Template("change the traits of resource provider {provider}"),
    "to_cold_migrate": Template("cold-migrate server {server}"),
    "to_confirm_resize": Template("confirm the resize of server {server}"),
    "to_count_servers": Template("count the servers of host {host}"),
    "to_delete_server": Template("delete server {server}"),
    "to_disable_service": Template("disable the compute service"),
    "to_enable_service": Template("enable the compute service"),
    "to_find_service": Template("find {name} in the service catalog"),
    "to_find_server": Template("find server {name}"),
    "to_force_complete": Template("force migration {migration} of server {server} to complete"),
    "to_list_actions": Template("list the actions of server {server}"),
    "to_list_agents": Template("list the network agents of host {host}"),
    "to_list_aggregates": Template("list the aggregates"),
    "to_list_hypervisors": Template("list the hypervisors"),
    "to_list_errors": Template("list the instances in ERROR"),
    "to_list_migrations": Template("list the migrations of server {server}"),
    "to_list_migrations_touching": Template("list the migrations from and to host {host}"),
    "to_list_newest_migrations": Template("list the newest migrations from host {host}"),
    "to_list_projects": Template("list the projects"),
    "to_list_server_groups": Template("list the server groups"),
    "to_list_servers": Template("list the servers of host {host}"),
    "to_list_services": Template("list the compute services"),
    "to_list_unconfirmed": Template("list the unconfirmed migrations from host {host}"),
    "to_live_migrate": Template("live-migrate server {server}"),
    "to_log_in": Template("log in"),
    "to_read_action": Template("read action {action} of server {server}"),
    "to_read_allocations": Template("read the allocations of consumer {consumer}"),
    "to_read_allocations_on": Template("read the allocations of resource provider {provider}"),
    "to_read_capacity": Template("read the capacity of the hosts"),
    "to_read_diagnostics": Template("read the diagnostics of server {server}"),
    "to_read_hypervisor": Template("read the hypervisor of host {host}"),
    "to_read_microversions": Template("read Nova's microversions"),
    "to_read_progress": Template("read the progress of server {server}"),
    "to_read_server": Template("read server {server}"),
    "to_read_service": Template("read the compute service of host {host}"),
    "to_reset_state": Template("reset the state of server {server}"),
}

#: Why it went wrong, where that is not in words of OpenStack's.
DETAILS = {
    "answer_not_json": Template("the answer is not JSON"),
    "answer_without": Template("the answer has no '{key}'"),
    "answer_without_state": Template("the answer does not say which state the guest is in"),
    "host_filter_ignored": Template(
        "Nova ignored the host filter and answered with '{host}'",
        cause="Nova drops the filters of a user that it does not regard as an administrator.",
    ),
    "login_took_too_long": Template("the login took too long, so the request was not sent"),
    "neutron_lists_no_agent": Template(
        "Neutron lists no agent of any host",
        cause="Neutron leaves out what the user may not see, without an error; or this cloud has no"
        " agents.",
    ),
    "no_answer": Template("no answer"),
    "no_complete_answer": Template("no complete answer within {seconds} s"),
    "no_endpoint": Template("the service catalog has no {service} endpoint in any region"),
    "no_endpoint_in": Template("the service catalog has no {service} endpoint for region {region}"),
    "nova_hides_hosts": Template(
        "Nova does not tell this user where servers run: the user needs the admin role"
    ),
    "pages_go_round": Template("the list is endless: a page links back to an earlier one"),
    "pass_over": Template("the pass took longer than {seconds} s"),
    "provider_not_known": Template("Placement does not know this resource provider"),
    "sent_elsewhere": Template("the endpoint redirects to another address"),
    "sent_on": Template("the endpoint redirects to {where}"),
    "server_cell_down": Template("Nova does not report where the server runs: its cell is down"),
    "service_listed_twice": Template(
        "Nova lists more than one nova-compute service with exactly this host name"
    ),
}

#: Which setting is to be changed.
ADVICE = {
    "add_neutron": Template(
        "Add Neutron to the service catalog, or take agents_up out of the checks of the action."
    ),
    "allow_agents": Template(
        "Let Neutron's policy get_agent allow the worker's user to list agents; or, where there"
        " are none, take agents_up out of the checks of the action."
    ),
    "check_auth_url": Template("Check auth_url of cloud '{cloud}' in clouds.yaml."),
    "check_certificate": Template(
        "Check cacert and auth_url of cloud '{cloud}' in clouds.yaml: the certificate is not"
        " trusted."
    ),
    "check_credentials": Template("Check the credentials of cloud '{cloud}' in clouds.yaml."),
    "check_files": Template(
        "Check cacert, cert and key of cloud '{cloud}' in clouds.yaml: one of these files cannot"
        " be read."
    ),
    "check_horizon_ca": Template("Check OPENSTACK_SSL_CACERT in Horizon's local_settings.py."),
    "check_project": Template(
        "Check project_name of cloud '{cloud}' in clouds.yaml, and that its user has the admin"
        " role in that project."
    ),
    "check_region": Template(
        "Check region_name and interface of cloud '{cloud}' in clouds.yaml, and the service"
        " catalogue."
    ),
    "choose_admin_project": Template("Choose a project in which you are an administrator."),
    "choose_region": Template("Choose another region, or correct the service catalogue."),
    "correct_endpoint": Template("Correct the {service} endpoint in the service catalogue."),
    "log_in_again": Template("Log in again."),
    "upgrade_openstack": Template(
        "{service} needs microversion {microversion}: upgrade OpenStack to Victoria or later."
    ),
}

#: What is wrong with the settings, or with clouds.yaml.
CONFIGURATION = {
    "clouds_yaml_file": Template("{setting} of cloud '{cloud}' in clouds.yaml: {problem}"),
    "clouds_yaml_incomplete": Template(
        "clouds.yaml says too little to log in to cloud '{cloud}': {why}"
    ),
    "clouds_yaml_unusable": Template(
        "clouds.yaml cannot be used for cloud '{cloud}': {why:clauses}",
        remedy="Correct clouds.yaml on this machine.",
    ),
    "file_unreadable": Template("{file} cannot be read"),
    "file_unreadable_because": Template("{file} cannot be read: {detail}"),
    "setting_wrong": Template("{problem}"),
    "settings_name_no_cloud": Template(
        "{name} names no cloud.", remedy='Add {name}["CLOUD"] = "<cloud of clouds.yaml>".'
    ),
    "settings_no_dict": Template("{name} must be a dict, not {type}."),
}

TEMPLATES: Mapping[str, Template] = {
    **FAILURES,
    **ASKED,
    **DETAILS,
    **ADVICE,
    **CONFIGURATION,
}
