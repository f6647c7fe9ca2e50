"""The settings: each has a type, bounds and a default, and no wrong value is taken silently."""

import dataclasses

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.said import raises
from ukcloud_maintenance import settings as our_settings
from ukcloud_maintenance.exceptions import ConfigurationError
from ukcloud_maintenance.settings import SETTINGS, Settings, current
from ukcloud_maintenance.settings.removed import REMOVED

# the `settings` fixture stays the same for all examples, which is what is wanted here
with_fixture = hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

NUMBERS = [s for s in SETTINGS if int in s.types]
OTHERS = [s for s in SETTINGS if s not in NUMBERS]


def named(setting):
    return setting.name


def value_of(setting):
    return getattr(current(), setting.name.lower())


def problems():
    return list(our_settings.problems())


def ours(settings, **values):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo", **values}


@pytest.mark.parametrize("setting", SETTINGS, ids=named)
def test_every_setting_is_explained_and_its_default_is_allowed(setting):
    assert setting.help.endswith(".")
    assert setting.unit
    assert setting.problem(setting.default) == ""


@pytest.mark.parametrize("setting", NUMBERS, ids=named)
def test_every_number_is_bounded(setting):
    assert setting.minimum is not None
    assert setting.maximum is not None
    assert setting.minimum < setting.maximum


@pytest.mark.parametrize("setting", SETTINGS, ids=named)
def test_what_is_not_set_has_its_default(settings, setting):
    settings.UKCLOUD_MAINTENANCE = {}
    assert value_of(setting) == setting.read(setting.default)
    assert getattr(Settings(), setting.name.lower()) == setting.read(setting.default)


def test_what_is_read_cannot_be_changed(settings):
    ours(settings)
    with pytest.raises(dataclasses.FrozenInstanceError):
        current().max_attempts = 9


@pytest.mark.parametrize("setting", NUMBERS, ids=named)
@with_fixture
@given(value=st.integers(-10, 100_000))
def test_a_whole_number_is_taken_within_its_bounds_alone(settings, setting, value):
    ours(settings, **{setting.name: value})
    if setting.minimum <= value <= setting.maximum:
        assert value_of(setting) == value
    else:
        with raises(ConfigurationError, match=setting.name):
            value_of(setting)
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
    with raises(ConfigurationError, match=setting.name):
        value_of(setting)
    [(problem, remedy), *_] = problems()
    assert f"UKCLOUD_MAINTENANCE['{setting.name}']" in problem
    assert setting.unit in remedy


@pytest.mark.parametrize("name", [s.name for s in NUMBERS if s.types == (int,)])
def test_a_count_is_whole(settings, name):
    ours(settings, **{name: 1.5})
    assert any(name in problem for problem, _ in problems())


@pytest.mark.parametrize("value", [1, None, True, ["x"]], ids=repr)
@pytest.mark.parametrize("setting", OTHERS, ids=named)
def test_nothing_else_is_taken_for_text_or_a_map(settings, setting, value):
    if isinstance(value, setting.types):
        value = "yes"  # no truth value either
    ours(settings, **{setting.name: value})
    assert any(setting.name in problem for problem, _ in problems())


@pytest.mark.parametrize("value", [{"RegionOne": 1}, {1: "demo"}, {"RegionOne": None}], ids=repr)
def test_clouds_map_text_to_text(settings, value):
    settings.UKCLOUD_MAINTENANCE = {"CLOUDS": value}
    assert any("CLOUDS" in problem for problem, _ in problems())
    with pytest.raises(ConfigurationError):
        current()


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
    with raises(ConfigurationError, match="must be a dict"):
        current()


@given(data=st.data())
@with_fixture
def test_a_misspelt_key_is_named_with_the_right_one(settings, data):
    name = data.draw(st.sampled_from([s.name for s in SETTINGS if len(s.name) > 8]))
    at = data.draw(st.integers(1, len(name) - 2))
    misspelt = name[:at] + name[at + 1 :]
    assume(misspelt not in {s.name for s in SETTINGS} | set(REMOVED))
    ours(settings, **{misspelt: 1})
    [(problem, remedy)] = problems()
    assert f"UKCLOUD_MAINTENANCE['{misspelt}']" in problem
    # dropping a letter may bring it as near to a sibling, e.g. RETRY_SECONDS
    assert "Did you mean" in remedy


def test_a_key_like_no_other_gets_the_whole_list(settings):
    ours(settings, xyz=1)
    [(_, remedy)] = problems()
    assert all(setting.name in remedy for setting in SETTINGS)


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
        ({"MAX_CONCURRENT": 9, "MAX_IN_REGION": 8}, "MAX_CONCURRENT"),
        ({"MAX_CONCURRENT": 30}, "MAX_CONCURRENT"),
    ],
)
def test_settings_that_contradict_each_other(settings, values, named_setting):
    ours(settings, **values)
    [(problem, _)] = problems()
    assert f'UKCLOUD_MAINTENANCE["{named_setting}"]' in problem


def test_a_small_region_does_not_contradict_a_pace_that_nobody_chose(settings):
    ours(settings, MAX_IN_REGION=1)
    assert problems() == []


# -- what follows from them ------------------------------------------------------------------

#: What these were as settings of their own, by default.
DERIVED = {
    "max_concurrent_ceiling": 20,
    "retry_max_seconds": 600,
    "lease_seconds": 90,
    "pass_seconds": 180,
    "worker_silent_seconds": 90,
    "page_timeout_seconds": 15,
    "late_seconds_per_gib": 30,
    "abort_wait_seconds": 300,
    "return_wait_seconds": 900,
}


def test_what_was_a_setting_is_what_it_was_by_default():
    assert {name: getattr(Settings(), name) for name in DERIVED} == DERIVED
    assert set(REMOVED) == {name.upper() for name in DERIVED}
    assert not set(REMOVED) & {setting.name for setting in SETTINGS}


@given(seconds=st.floats(1, 600))
def test_what_waits_for_an_answer_is_neither_lost_nor_robbed_nor_abandoned(seconds):
    found = Settings(api_timeout_seconds=seconds)
    longer = (found.lease_seconds, found.pass_seconds)
    assert min(longer) > seconds
    assert found.worker_silent_seconds >= found.lease_seconds


@given(mine=st.integers(1, 100), region=st.integers(1, 10000))
def test_an_admin_may_ask_for_what_is_the_default_and_for_what_the_region_takes(mine, region):
    found = Settings(max_concurrent=mine, max_in_region=region)
    assert mine <= found.max_concurrent_ceiling <= 100
    assert found.max_concurrent_ceiling <= max(mine, region)


def test_what_is_larger_than_the_least_may_take_longer_in_proportion():
    assert Settings(late_min_seconds=600).late_seconds_per_gib == 60


def test_a_cancel_does_not_wait_longer_for_what_it_aborts_than_for_what_lands():
    assert Settings(cancel_wait_seconds=20).abort_wait_seconds == 20


@pytest.mark.parametrize("name", REMOVED)
def test_what_is_no_longer_a_setting_is_named_with_what_replaced_it(settings, name):
    ours(settings, **{name: "anything"})
    assert problems() == []
    [(problem, remedy)] = our_settings.leftovers()
    assert problem == f"UKCLOUD_MAINTENANCE['{name}'] is no longer a setting and has no effect."
    assert remedy.startswith("Remove it. ")
    assert current() == Settings(cloud="demo")


# -- regions and clouds ----------------------------------------------------------------------


def test_no_cloud_is_a_problem(settings):
    settings.UKCLOUD_MAINTENANCE = {}
    [(problem, remedy)] = problems()
    assert "names no cloud" in problem
    assert '["CLOUD"] = ' in remedy
    assert current().regions == {}
    assert current().cloud_of("RegionOne") == ""


def test_one_cloud_for_any_region(settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo"}
    assert current().cloud_of("RegionOne") == current().cloud_of("elsewhere") == "demo"
    assert list(current().regions.values()) == ["demo"]


def test_clouds_by_region(settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUDS": {"north": "a", "south": "b"}}
    assert (current().cloud_of("north"), current().cloud_of("south")) == ("a", "b")
    assert current().cloud_of("North") == ""
    assert current().regions == {"north": "a", "south": "b"}


def test_clouds_win_over_cloud(settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "x", "CLOUDS": {"north": "a"}}
    assert current().cloud_of("elsewhere") == ""
    assert current().regions == {"north": "a"}


def test_a_shorter_timeout_does_not_shorten_the_wait_for_a_copy_that_may_end_alone():
    """libvirt may finish a copy whose nova-compute is gone, whatever becomes of slow ones."""
    hasty = Settings(timeout_min_seconds=1, timeout_seconds_per_gib=0.1)
    assert (hasty.late_min_seconds, hasty.late_seconds_per_gib) == (300, 30)


def test_less_patience_for_one_answer_does_not_make_a_lost_one_be_sent_again_sooner():
    assert Settings(api_timeout_seconds=1).submit_grace_seconds == 60
