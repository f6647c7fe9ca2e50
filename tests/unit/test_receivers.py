"""The settings of who is told: what is wrong with one is named, and none of its secrets is."""

import importlib.util
from pathlib import Path

import pytest
from django.core import checks as django_checks

from ukcloud_maintenance import checks
from ukcloud_maintenance import settings as our_settings
from ukcloud_maintenance.core.notices import TOPICS
from ukcloud_maintenance.exceptions import ConfigurationError
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.settings import Settings, current

SECRET = "pa55-t0ken-of-receiver"
SLACK = f"slack://{SECRET}/B1/C1"
HOOK = {"url": f"https://u:{SECRET}@example.com/{SECRET}", "secret": SECRET}


def problems(settings, **values) -> list[str]:
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo", **values}
    found = [f"{problem} {remedy}" for problem, remedy in our_settings.problems()]
    found += [f"{one.msg} {one.hint}" for one in django_checks.run_checks(tags=[checks.TAG])]
    assert SECRET not in str(found)
    return found


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NOTIFY", SLACK, "must be a list of dicts, not str"),
        ("NOTIFY", [SLACK], "number 1 is of type str"),
        ("NOTIFY", [{"url": SLACK}, {}], "number 2: \"url\" must be an Apprise URL"),
        ("NOTIFY", [{"url": SECRET}], "\"url\" must be an Apprise URL"),
        ("NOTIFY", [{"url": SLACK, "secret": SECRET}], "has a key that is none of name, on, url"),
        ("NOTIFY", [{"url": SLACK, SECRET: 1}], "has a key that is none of name, on, url"),
        ("NOTIFY", [{"url": SLACK, "on": [SECRET]}], "\"on\" must be a list of drain_started,"),
        ("NOTIFY", [{"url": SLACK, "on": "safe"}], "\"on\" must be a list of"),
        ("NOTIFY", [{"url": SLACK, "on": []}], "\"on\" must be a list of"),
        ("NOTIFY", [{"url": SLACK, "name": "a b"}], "\"name\" must be"),
        ("NOTIFY", [{"url": SLACK, "name": SECRET * 4}], "\"name\" must be"),
        ("NOTIFY", [{"url": f"slack://[{SECRET}"}], "\"url\" must be"),
        ("WEBHOOKS", [{**HOOK, "url": f"ftp://{SECRET}"}], "the address of a web server"),
        ("WEBHOOKS", [{**HOOK, "url": f"https://[{SECRET}"}], "the address of a web server"),
        ("WEBHOOKS", [{"url": HOOK["url"]}], "\"secret\" must be a text of at least 16"),
        ("WEBHOOKS", [{**HOOK, "secret": "short"}], "\"secret\" must be a text of at least 16"),
        ("WEBHOOKS", [{**HOOK, "secret": f"whsec_{SECRET}!"}], "\"secret\" must be"),
        ("WEBHOOKS", [{**HOOK, "secret": "whsec_c2hvcnQ="}], "\"secret\" must be"),
        ("HORIZON_URL", f"https://u:{SECRET}@cloud", "must be like https://cloud.example.com"),
        ("HORIZON_URL", "cloud.example.com", "must be like https://cloud.example.com"),
        ("NOTIFY_LANGUAGE", "fr", "must be one of en, de"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(settings, name, value, said):
    found = problems(settings, **{name: value})
    assert any(f"UKCLOUD_MAINTENANCE['{name}']" in one and said in one for one in found), found
    with pytest.raises(ConfigurationError) as error:
        current()
    assert SECRET not in english(error.value.said) + repr(error.value)


@pytest.mark.parametrize("other", ["a", "A"])
def test_two_receivers_have_two_names(settings, monkeypatch, other):
    apprise_is_there(monkeypatch, True)
    found = problems(settings, NOTIFY=[{"url": SLACK}], WEBHOOKS=[{**HOOK, "name": "a"}])
    assert found == []
    twice = [{"url": SLACK, "name": "a"}]
    found = problems(settings, NOTIFY=twice, WEBHOOKS=[{**HOOK, "name": other}])
    assert "two receivers called a." in found[0]


def test_a_receiver_has_a_name_without_anything_secret():
    first, second, third = Settings(
        notify=[{"url": "mailto://me:one@example.com"}, {"url": "mailto://you:two@example.com"}],
        webhooks=[HOOK],
    ).receivers
    assert first.name == second.name
    assert first.name.startswith("mailto-")
    assert third.name.startswith("https-")
    assert first.topics == frozenset(TOPICS)
    assert (first.is_webhook, third.is_webhook) == (False, True)
    assert third.key == SECRET.encode()


def test_the_languages_are_those_that_there_are_texts_in():
    [setting] = [one for one in our_settings.SETTINGS if one.name == "NOTIFY_LANGUAGE"]
    locale = Path(our_settings.__file__).parents[1] / "locale"
    assert setting.choices == ("en", *sorted(f.name for f in locale.iterdir() if f.is_dir()))


def apprise_is_there(monkeypatch, it_is: bool) -> None:
    find = importlib.util.find_spec
    found = importlib.util.find_spec("json") if it_is else None
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: found if name == "apprise" else find(name)
    )


def test_without_apprise_it_is_said_what_to_install(settings, monkeypatch):
    apprise_is_there(monkeypatch, False)
    found = problems(settings, NOTIFY=[{"url": SLACK}])
    assert any("pip install ukcloud-maintenance[notify]" in one for one in found)
    assert problems(settings, WEBHOOKS=[HOOK]) == []
