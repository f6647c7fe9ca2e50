"""The settings of actions and alerts: what is read, and that what is wrong is named and not
quoted."""

import pytest

from tests.said import raises
from ukcloud_maintenance import settings as our_settings
from ukcloud_maintenance.exceptions import ConfigurationError
from ukcloud_maintenance.settings import actions, current
from ukcloud_maintenance.settings.actions import Action, Alerts, Command, Poll, Webhook
from ukcloud_maintenance.settings.canary import CanarySettings

COMMAND = {"command": ["ansible-playbook", "reboot.yml", "--limit", "{host}"]}
HOOK = {"url": "https://awx/launch", "secret": "s3cret-of-both-ends"}


def use(settings, **values):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo", **values}


def problems(settings, **values) -> list[str]:
    use(settings, **values)
    return [problem for problem, _ in our_settings.problems()]


def test_an_action_has_what_is_set_and_otherwise_the_defaults(settings):
    use(settings, ACTIONS={"reboot": COMMAND, "awx": {"webhook": HOOK}})
    found = current().actions
    argv = ("ansible-playbook", "reboot.yml", "--limit", "{host}")
    assert found["reboot"] == Action("reboot", command=Command(argv))
    webhook = Webhook("https://awx/launch", "s3cret-of-both-ends")
    assert found["awx"] == Action("awx", webhook=webhook)
    assert not our_settings_problems()


def our_settings_problems() -> list[str]:
    return [problem for problem, _ in our_settings.problems()]


def test_all_that_can_be_set(settings):
    poll = {"field": "status", "done": ["successful"], "failed": ["failed"], "interval": 5}
    hook = {**HOOK, "headers": {"Authorization": "Bearer x"}, "poll": poll, "timeout": 3}
    hook["body"] = {"limit": "{host}", "n": [1, None, True, {"a": "{{{run}}}"}]}
    common = {"time_limit": 60, "reboots": True, "idempotent": True, "settle": 0}
    common |= {"retry_after": 1, "checks": ["version_changed", "uptime_changed"]}
    command = {**COMMAND, "environment": {"A_1": "b"}, "directory": "/etc/ansible"}
    use(
        settings,
        ACTIONS={"reboot-1": {**command, **common}, "awx_2": {"webhook": hook, **common}},
        ALERTS={"url": "http://prometheus:9090", "query": "up == 0", "timeout": 2},
        ACTIONS_DIRECTORY="/var/lib/x",
    )
    assert our_settings_problems() == []
    found = current().actions["reboot-1"]
    assert (found.time_limit, found.reboots, found.idempotent, found.settle) == (60, True, True, 0)
    assert found.checks == ("uptime_changed", "version_changed")
    assert found.command.time_limit == 60
    assert found.command.environment == {"A_1": "b"}
    assert found.command.directory == "/etc/ansible"
    hook = current().actions["awx_2"].webhook
    assert hook.poll == Poll("status", ("successful",), ("failed",), 5)
    assert hook.body["limit"] == "{host}"
    assert current().alerts == Alerts("http://prometheus:9090", "up == 0", {}, 2)


def test_where_nothing_is_set_there_is_nothing(settings):
    use(settings)
    assert (current().actions, current().alerts, current().actions_directory) == ({}, None, "")


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ("reboot", "['reboot'] must be dict, not str."),
        ({}, '[\'reboot\'] must have either "command" or "webhook".'),
        ({**COMMAND, "webhook": HOOK}, '[\'reboot\'] must have either "command" or "webhook".'),
        ({"command": "reboot {host}"}, "['command'] must be list or tuple, not str."),
        ({"command": []}, "['command'] must not be empty."),
        ({"command": ["a", ""]}, "['command'] must have texts alone"),
        ({"command": ["a", 1]}, "['command'] must have texts alone"),
        ({"command": ["a\0"]}, "['command'] must have texts alone"),
        ({"command": ["{hots}"]}, "['command'] has {hots} that cannot be filled in; {host},"),
        ({"command": ["{}"]}, "['command'] has braces that cannot be filled in"),
        ({"command": ["{0}"]}, "['command'] has braces that cannot be filled in"),
        ({"command": ["{host.x}"]}, "['command'] has braces that cannot be filled in"),
        ({"command": ["{host!r}"]}, "['command'] has braces that cannot be filled in"),
        ({"command": ["{host:>9}"]}, "['command'] has braces that cannot be filled in"),
        ({"command": ['{"a": 1}']}, "['command'] has braces that cannot be filled in"),
        ({"command": ["{host"]}, "['command'] has a single brace; {{ and }} stand for braces."),
        ({"command": ["host}"]}, "['command'] has a single brace"),
        ({**COMMAND, "time_limit": 0}, "['time_limit'] must be between 1 and 604800, not 0."),
        ({**COMMAND, "time_limit": float("nan")}, "['time_limit'] must be between"),
        ({**COMMAND, "time_limit": True}, "['time_limit'] must be int or float, not bool."),
        ({**COMMAND, "settle": "60"}, "['settle'] must be int or float, not str."),
        ({**COMMAND, "retry_after": None}, "['retry_after'] must be int or float, not NoneType."),
        ({**COMMAND, "reboots": "no"}, "['reboots'] must be bool, not str."),
        ({**COMMAND, "idempotent": 1}, "['idempotent'] must be bool, not int."),
        ({**COMMAND, "checks": ["uptime"]}, "['checks'] has 'uptime'; known are uptime_changed,"),
        (
            {**COMMAND, "checks": ["agents_up"], "settle": 60},
            "['settle'] must be 75 or more with the check agents_up.",
        ),
        ({**COMMAND, "checks": "canary"}, "['checks'] must be list or tuple, not str."),
        ({**COMMAND, "directory": "ansible"}, "['directory'] must be an absolute path."),
        ({**COMMAND, "environment": {"A": 1}}, "['environment'] must have text for 'A', not int."),
        ({**COMMAND, "environment": {"A=": "1"}}, "['environment'] has a name that cannot be used"),
        ({**COMMAND, "environment": {"A": "\0"}}, "['environment'] has a NUL in 'A'."),
        ({**COMMAND, "timelimit": 1}, "['reboot'] has no 'timelimit'; known are checks, command,"),
        ({"webhook": HOOK, "directory": "/x"}, '"environment" and "directory" are for commands'),
        ({"webhook": "http://x"}, "['webhook'] must be dict, not str."),
        ({"webhook": {"url": "http://x"}}, "['webhook'] lacks 'secret'."),
        ({"webhook": {**HOOK, "secret": ""}}, "['webhook']['secret'] must not be empty."),
        ({"webhook": {**HOOK, "timeout": 0}}, "['webhook']['timeout'] must be between"),
        ({"webhook": {**HOOK, "headers": {"A b": "x"}}}, "['headers'] has a name that cannot be"),
        ({"webhook": {**HOOK, "headers": {"A": "x\n"}}}, "['headers'] has characters in 'A'"),
        ({"webhook": {**HOOK, "headers": ["A"]}}, "['headers'] must be dict, not list."),
        ({"webhook": {**HOOK, "body": {"a": ["{x}"]}}}, "['body'] has {x} that cannot be filled"),
        ({"webhook": {**HOOK, "body": {1: "x"}}}, "['body'] has the key 1, which is no text."),
        ({"webhook": {**HOOK, "body": {"a": {1, 2}}}}, "['body'] has a set, which JSON lacks."),
        ({"webhook": {**HOOK, "poll": {"field": "a"}}}, "['webhook']['poll'] lacks 'done'."),
        (
            {"webhook": {**HOOK, "poll": {"field": "a", "done": ["x"], "failed": ["x"]}}},
            "['poll']['failed'] must have nothing that is in \"done\" as well.",
        ),
        ({"webhook": {**HOOK, "pol": {}}}, "['webhook'] has no 'pol'; known are"),
    ],
)
def test_what_is_wrong_is_named_with_the_keys_that_lead_there(settings, action, problem):
    found = problems(settings, ACTIONS={"reboot": action})
    assert any(problem in one for one in found), found
    assert all(one.startswith("UKCLOUD_MAINTENANCE['ACTIONS']['reboot']") for one in found)
    with raises(ConfigurationError, match=r"\['ACTIONS'\]\['reboot'\]"):
        current()


@pytest.mark.parametrize(
    "name", ["", "Reboot", "a b", "-a", "a" * 64, "ä", "by-hand", "by_hand", 1]
)
def test_a_name_that_cannot_be_used(settings, name):
    [found] = problems(settings, ACTIONS={name: COMMAND})
    assert found.startswith(f"UKCLOUD_MAINTENANCE['ACTIONS'][{name!r}] must be named")


@pytest.mark.parametrize(
    "url",
    [
        *("awx/launch", "ftp://s3cret/", "http://", "http://:80/", "http://a:b/", "http://[::1"),
        *("http://a/s3cret path", "http://a/\n", "http://a/#s3cret", "http://me:s3cret@", "s3cret"),
    ],
)
def test_an_address_that_cannot_be_used_is_not_quoted(settings, url):
    for found in (
        problems(settings, ACTIONS={"awx": {"webhook": {**HOOK, "url": url}}}),
        problems(settings, ALERTS={"url": url}),
    ):
        [problem] = found
        assert "['url'] must" in problem
        assert "s3cret" not in problem


@pytest.mark.parametrize("value", [7, b"s3cret", ["s3cret"], {"s3cret": "s3cret"}])
def test_no_secret_is_quoted_where_it_is_wrong(settings, value):
    secrets = {"headers": {"X-A": value}, "secret": value}
    given = {"webhook": {**HOOK, **secrets}}
    found = problems(
        settings,
        ACTIONS={"awx": given, "reboot": {**COMMAND, "environment": {"A": value}}},
        ALERTS={"url": value, "headers": {"X-A": value}, "query": value},
    )
    assert len(found) == 6
    assert "s3cret" not in "".join(found)
    with pytest.raises(ConfigurationError) as caught:
        current()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"query": "up"}, "['ALERTS'] lacks 'url'."),
        ({"url": "http://p", "query": ""}, "['ALERTS']['query'] must not be empty."),
        ({"url": "http://p", "timeout": 1000}, "['ALERTS']['timeout'] must be between"),
        ({"url": "http://p", "user": "x"}, "['ALERTS'] has no 'user'; known are"),
    ],
)
def test_alerts_that_are_wrong(settings, value, problem):
    [found] = problems(settings, ALERTS=value)
    assert problem in found


def test_the_directory_is_absolute(settings):
    [found] = problems(settings, ACTIONS_DIRECTORY="actions")
    assert '["ACTIONS_DIRECTORY"] must be an absolute path' in found


def test_all_that_is_wrong_is_told_at_once(settings):
    wrong = {"command": ["{x}"], "time_limit": 0, "nope": 1}
    assert len(problems(settings, ACTIONS={"a": wrong, "b": {}}, MAX_ATTEMPTS=0)) == 5


def test_what_can_be_secret_is_not_shown(settings):
    url = "https://me:s3cret@awx/s3cret"
    hook = {
        "url": url,
        "secret": "s3cret-of-both-ends",
        "headers": {"A": "s3cret"},
        "body": {"a": "s3cret"},
    }
    use(
        settings,
        ACTIONS={"awx": {"webhook": hook}, "x": {**COMMAND, "environment": {"A": "s3cret"}}},
        ALERTS={"url": url, "headers": {"A": "s3cret"}},
    )
    assert our_settings_problems() == []
    assert "s3cret" not in repr(current())
    assert actions.read_actions({"awx": {"webhook": hook}})["awx"].webhook.url == url


# -- the canary ------------------------------------------------------------------------------


def test_a_canary_has_defaults_and_is_off_without_one(settings):
    use(settings)
    assert current().canary is None
    use(settings, CANARY={"image": "i", "flavor": "f"})
    assert current().canary == CanarySettings("i", "f", "none", 300)


@pytest.mark.parametrize(
    ("canary", "problem"),
    [
        ({"image": "i"}, " lacks 'flavor'."),
        ({"image": "i", "flavor": ""}, "['flavor'] must not be empty."),
        ({"image": "i", "flavor": 1}, "['flavor'] must be str, not int."),
        ({"image": "i", "flavor": "f", "seconds": 1}, "['seconds'] must be between 10 and 3600"),
        ({"image": "i", "flavor": "f", "net": "x"}, " has no 'net'; known are flavor, image,"),
        ("i", " must be dict, not str."),
    ],
)
def test_what_is_wrong_with_a_canary_is_named(settings, canary, problem):
    found = problems(settings, CANARY=canary)
    assert any(one.startswith(f"UKCLOUD_MAINTENANCE['CANARY']{problem}") for one in found), found


def test_the_check_without_the_setting_is_an_error_that_names_it(settings):
    action = {**COMMAND, "checks": ["canary"]}
    [found] = problems(settings, ACTIONS={"reboot": action})
    assert found == (
        'UKCLOUD_MAINTENANCE["ACTIONS"][\'reboot\']["checks"] has "canary", and "CANARY" is'
        " not set."
    )
    assert (
        problems(settings, ACTIONS={"reboot": action}, CANARY={"image": "i", "flavor": "f"}) == []
    )
