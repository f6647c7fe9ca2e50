"""The settings: each has a type, bounds and a default, and no wrong value is taken silently."""

import inspect

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ukcloud_maintenance import conf
from ukcloud_maintenance.exceptions import ConfigurationError

# the `settings` fixture stays the same for all examples, which is what is wanted here
with_fixture = hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

NUMBERS = [s for s in conf.SETTINGS if s.type in (int, (int, float))]
OTHERS = [s for s in conf.SETTINGS if s not in NUMBERS]


def named(setting):
    return setting.name


def getter(setting):
    """The typed function of a setting; CLOUD and CLOUDS are read through others."""
    return getattr(conf, setting.name.lower())


def problems():
    return list(conf.problems())


def ours(settings, **values):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo", **values}


@pytest.mark.parametrize("setting", conf.SETTINGS, ids=named)
def test_every_setting_is_explained_and_its_default_is_allowed(setting):
    assert setting.help.endswith(".")
    assert setting.unit
    assert setting.problem(setting.default) == ""


@pytest.mark.parametrize("setting", NUMBERS, ids=named)
def test_every_number_is_bounded(setting):
    assert setting.minimum is not None
    assert setting.maximum is not None
    assert setting.minimum < setting.maximum


@pytest.mark.parametrize("setting", NUMBERS, ids=named)
def test_the_functions_docstring_tells_the_default(settings, setting):
    ours(settings)
    assert getter(setting)() == setting.default
    assert f"Default {setting.default}." in inspect.getdoc(getter(setting))


@pytest.mark.parametrize("setting", NUMBERS, ids=named)
@with_fixture
@given(value=st.integers(-10, 100_000))
def test_a_whole_number_is_taken_within_its_bounds_alone(settings, setting, value):
    ours(settings, **{setting.name: value})
    if setting.minimum <= value <= setting.maximum:
        assert getter(setting)() == value
    else:
        with pytest.raises(ConfigurationError, match=setting.name):
            getter(setting)()
        assert any(setting.name in problem for problem, _ in problems())


@pytest.mark.parametrize("setting", NUMBERS, ids=named)
def test_bounds_are_inclusive(setting):
    assert setting.problem(setting.minimum) == ""
    assert setting.problem(setting.maximum) == ""
    assert "at least" in setting.problem(setting.minimum - 1)
    assert "at most" in setting.problem(setting.maximum + 1)


@pytest.mark.parametrize("value", ["5", None, True, [1], {}, b"1", float("nan")], ids=repr)
@pytest.mark.parametrize("setting", NUMBERS, ids=named)
def test_nothing_else_is_taken_for_a_number(settings, setting, value):
    ours(settings, **{setting.name: value})
    with pytest.raises(ConfigurationError, match=setting.name):
        getter(setting)()
    [(problem, remedy), *_] = problems()
    assert f"UKCLOUD_MAINTENANCE['{setting.name}']" in problem
    assert setting.unit in remedy


@pytest.mark.parametrize("name", [s.name for s in NUMBERS if s.type is int])
def test_a_count_is_whole(settings, name):
    ours(settings, **{name: 1.5})
    assert any(name in problem for problem, _ in problems())


@pytest.mark.parametrize("value", [1, None, True, ["x"]], ids=repr)
@pytest.mark.parametrize("setting", OTHERS, ids=named)
def test_nothing_else_is_taken_for_text_or_a_map(settings, setting, value):
    ours(settings, **{setting.name: value})
    assert any(setting.name in problem for problem, _ in problems())


@pytest.mark.parametrize("value", [{"RegionOne": 1}, {1: "demo"}, {"RegionOne": None}], ids=repr)
def test_clouds_map_text_to_text(settings, value):
    settings.UKCLOUD_MAINTENANCE = {"CLOUDS": value}
    assert any("CLOUDS" in problem for problem, _ in problems())
    with pytest.raises(ConfigurationError):
        conf.regions()


# -- the dict --------------------------------------------------------------------------------


def test_not_set_at_all(settings):
    del settings.UKCLOUD_MAINTENANCE
    [(problem, remedy)] = problems()
    assert problem == "UKCLOUD_MAINTENANCE is not set."
    assert 'UKCLOUD_MAINTENANCE = {"CLOUD":' in remedy


@pytest.mark.parametrize("value", ["demo", ["CLOUD"], 1])
def test_not_a_dict(settings, value):
    settings.UKCLOUD_MAINTENANCE = value
    [(problem, _)] = problems()
    assert "must be a dict" in problem
    with pytest.raises(ConfigurationError, match="must be a dict"):
        conf.max_attempts()


@given(data=st.data())
@with_fixture
def test_a_misspelt_key_is_named_with_the_right_one(settings, data):
    name = data.draw(st.sampled_from([s.name for s in conf.SETTINGS if len(s.name) > 8]))
    at = data.draw(st.integers(1, len(name) - 2))
    misspelt = name[:at] + name[at + 1 :]
    assume(misspelt not in conf._BY_NAME)
    ours(settings, **{misspelt: 1})
    [(problem, remedy)] = problems()
    assert f"UKCLOUD_MAINTENANCE['{misspelt}']" in problem
    # dropping a letter may bring it as near to a sibling, e.g. RETRY_SECONDS
    assert "Did you mean" in remedy


def test_a_key_like_no_other_gets_the_whole_list(settings):
    ours(settings, xyz=1)
    [(_, remedy)] = problems()
    assert all(setting.name in remedy for setting in conf.SETTINGS)


@pytest.mark.parametrize("key", [1, None, ("a",)], ids=repr)
def test_a_key_that_is_no_text(settings, key):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo", key: 1}
    [(problem, _)] = problems()
    assert repr(key) in problem


def test_all_problems_are_told_at_once(settings):
    ours(settings, MAX_ATTEMPTS=0, POLL_SECONDS="1", NOPE=1)
    assert len(problems()) == 3


@pytest.mark.parametrize(
    ("values", "named_setting"),
    [
        ({"SUBMIT_GRACE_SECONDS": 30, "API_TIMEOUT_SECONDS": 30}, "SUBMIT_GRACE_SECONDS"),
        ({"LEASE_SECONDS": 25, "API_TIMEOUT_SECONDS": 30}, "LEASE_SECONDS"),
        ({"MAX_CONCURRENT": 9, "MAX_CONCURRENT_CEILING": 8}, "MAX_CONCURRENT"),
    ],
)
def test_settings_that_contradict_each_other(settings, values, named_setting):
    ours(settings, **values)
    [(problem, _)] = problems()
    assert f'UKCLOUD_MAINTENANCE["{named_setting}"]' in problem


# -- regions and clouds ----------------------------------------------------------------------


def test_no_cloud_is_a_problem(settings):
    settings.UKCLOUD_MAINTENANCE = {}
    [(problem, remedy)] = problems()
    assert "names no cloud" in problem
    assert '["CLOUD"] = ' in remedy
    assert conf.regions() == {}
    assert conf.cloud_of("RegionOne") == ""


def test_one_cloud_for_any_region(settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo"}
    assert conf.cloud_of("RegionOne") == conf.cloud_of("elsewhere") == "demo"
    assert list(conf.regions().values()) == ["demo"]


def test_clouds_by_region(settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUDS": {"north": "a", "south": "b"}}
    assert (conf.cloud_of("north"), conf.cloud_of("south")) == ("a", "b")
    assert conf.cloud_of("North") == ""
    assert conf.regions() == {"north": "a", "south": "b"}


def test_clouds_win_over_cloud(settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "x", "CLOUDS": {"north": "a"}}
    assert conf.cloud_of("elsewhere") == ""
    assert conf.regions() == {"north": "a"}
