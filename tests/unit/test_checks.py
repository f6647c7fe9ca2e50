"""The system checks name the setting that is wrong and the line that repairs it."""

from pathlib import Path

import pytest
import yaml
from django.core import checks as django_checks

from ukcloud_maintenance import checks, policies


def _found() -> dict[str, django_checks.CheckMessage]:
    messages = django_checks.run_checks(tags=[checks.TAG])
    return {f"{m.id}": m for m in messages}


def _only(identifier: str, level: int = django_checks.ERROR) -> django_checks.CheckMessage:
    found = _found()
    assert list(found) == [f"ukcloud_maintenance.{identifier}"]
    message = found[f"ukcloud_maintenance.{identifier}"]
    assert message.level == level
    return message


def test_nothing_is_wrong_with_the_settings_of_the_readme():
    assert _found() == {}


@pytest.mark.parametrize(
    "databases",
    [{}, {"default": {}}, {"default": {"ENGINE": "django.db.backends.dummy"}}],
    ids=["empty, as Horizon has it", "default without engine", "dummy"],
)
def test_no_database(monkeypatch, databases):
    monkeypatch.setattr("django.conf.settings.DATABASES", databases)
    message = _only("E001")
    assert 'DATABASES["default"]' in message.msg
    assert 'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3"' in message.hint


def _mariadb(monkeypatch, **options):
    default = {"ENGINE": "django.db.backends.mysql", "NAME": "x", **options}
    monkeypatch.setattr("django.conf.settings.DATABASES", {"default": default})


@pytest.mark.parametrize("name", ["utf8", "utf8mb3", "latin1"])
def test_a_connection_that_lacks_characters(monkeypatch, name):
    _mariadb(monkeypatch, OPTIONS={"charset": name})
    message = _only("W006", django_checks.WARNING)
    assert f"stores text as {name}," in message.msg
    assert '"charset": "utf8mb4"' in message.hint


@pytest.mark.parametrize(
    ("version", "found"), [((4, 2), True), ((5, 1), True), ((5, 2), False), ((6, 0), False)]
)
def test_what_django_takes_where_none_is_named(monkeypatch, version, found):
    monkeypatch.setattr("django.VERSION", (*version, 0, "final", 0))
    _mariadb(monkeypatch)
    assert ("ukcloud_maintenance.W006" in _found()) is found
    _mariadb(monkeypatch, OPTIONS={"charset": "utf8mb4"})
    assert _found() == {}


@pytest.mark.parametrize("value", [None, ""])
def test_policies_are_not_checked_at_all(settings, value):
    settings.POLICY_CHECK_FUNCTION = value
    message = _only("E002")
    assert "POLICY_CHECK_FUNCTION" in message.msg
    assert 'POLICY_CHECK_FUNCTION = "openstack_auth.policy.check"' in message.hint


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("POLICY_FILES", 'POLICY_FILES["maintenance"] = policies.POLICY_FILE'),
        (
            "DEFAULT_POLICY_FILES",
            'DEFAULT_POLICY_FILES["maintenance"] = policies.DEFAULT_POLICY_FILE',
        ),
    ],
)
def test_scope_is_not_registered(settings, name, line):
    without = {k: v for k, v in getattr(settings, name).items() if k != policies.SCOPE}
    setattr(settings, name, without)
    message = _only("E003")
    assert f'{name}["maintenance"]' in message.msg
    assert "from ukcloud_maintenance import policies" in message.hint
    assert line in message.hint


@pytest.mark.parametrize(
    "content",
    [None, b"just words", b"{unclosed: [", b"\xff\xfe\x00"],
    ids=["missing", "no rules", "no YAML", "no text"],
)
@pytest.mark.parametrize("name", ["POLICY_FILES", "DEFAULT_POLICY_FILES"])
def test_policy_file_is_unusable(settings, tmp_path, name, content):
    file = tmp_path / "policy.yaml"
    if content is not None:
        file.write_bytes(content)
    setattr(settings, name, {**getattr(settings, name), policies.SCOPE: str(file)})
    message = _only("E004")
    assert f'{name}["maintenance"]' in message.msg
    assert str(file) in message.hint


def test_a_relative_policy_file_is_looked_for_where_horizon_looks(settings, tmp_path):
    (tmp_path / "ours.yaml").write_text("{}")
    settings.POLICY_FILES_PATH = str(tmp_path)
    settings.POLICY_FILES = {**settings.POLICY_FILES, policies.SCOPE: "ours.yaml"}
    assert _found() == {}


def test_rules_that_nobody_defines_are_named(settings, tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text('[{"name": "maintenance:view", "check_str": "role:admin"}]')
    settings.DEFAULT_POLICY_FILES = {**settings.DEFAULT_POLICY_FILES, policies.SCOPE: str(file)}
    message = _only("E005")
    rules = yaml.safe_load(Path(policies.DEFAULT_POLICY_FILE).read_text())
    others = {r["name"] for r in rules if r["name"].startswith("maintenance:")}
    others -= {"maintenance:view"}
    assert f"do not define {', '.join(sorted(others))}:" in message.msg


def test_rules_may_be_in_either_file(settings, tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text('{"maintenance:view": "role:reader"}')
    settings.POLICY_FILES = {**settings.POLICY_FILES, policies.SCOPE: str(file)}
    assert _found() == {}


def test_problems_of_our_own_settings_are_shown(settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo", "MAX_CONCURENT": 3}
    message = _only("E010")
    assert "UKCLOUD_MAINTENANCE['MAX_CONCURENT']" in message.msg
    assert "'MAX_CONCURRENT'" in message.hint


def test_what_is_no_longer_a_setting_is_a_warning(settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo", "LEASE_SECONDS": 90}
    message = _only("W011", django_checks.WARNING)
    assert "UKCLOUD_MAINTENANCE['LEASE_SECONDS']" in message.msg
    assert "API_TIMEOUT_SECONDS" in message.hint


def test_the_web_process_needs_no_clouds_yaml(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "missing.yaml"))
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "a cloud that nobody knows"}
    assert _found() == {}
