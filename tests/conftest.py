"""Fixtures of all tests. What one folder needs alone is in that folder's conftest.py."""

import re

import pytest
from hypothesis import settings

from tests.examples import some

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("busy", deadline=None, max_examples=some())
settings.load_profile("busy")


def pytest_addoption(parser):
    parser.addoption(
        "--all-faults",
        action="store_true",
        help="tests/libvirt: also the faults that take a minute each",
    )


class AtOnce:
    """Tells what fails when it fails: of a run that is ended from outside there is no summary."""

    def __init__(self, terminal):
        self.terminal = terminal

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report):
        if report.failed:
            why = getattr(report.longrepr, "reprcrash", None) or report.longreprtext
            self.terminal.line("")
            self.terminal.write_line(f"{report.when} of {report.nodeid} failed: {why}"[:1000])


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(AtOnce(terminal))


#: What shares something that takes long to start, a control plane or a browser, and so stays with
#: one process where tests run side by side. Of the rest, what is in one file stays together, except
#: in folders whose tests have nothing in common.
TOGETHER = {
    # each source is parsed once
    "tests/test_architecture.py": "sources",
    "tests/unit/test_messages.py": "sources",
    "tests/browser/test_looks.py": "browser's other",
    "tests/browser/test_themes.py": "browser's other",
    "tests/browser/test_forms.py": "browser's other",
    "tests/browser/": "browser",
    "tests/hostile/": "hostile",
    "tests/libvirt/": "libvirt",
    "tests/cloud/test_evidence.py": "own clouds",
    "tests/cloud/test_process.py": "own clouds",
    "tests/cloud/": "cloud",
    "tests/worker/test_processes.py": "worker's other nova",
    "tests/worker/test_metrics.py": "worker's other nova",
    "tests/worker/test_way_back.py": "worker's other nova",
    "tests/worker/test_whereabouts.py": "worker's other nova",
    "tests/worker/test_real_nova.py": "worker's nova",
    "tests/worker/test_affected.py": "worker's nova",
    "tests/worker/test_commands.py": "worker's nova",
    "tests/worker/test_steering.py": "worker's nova",
    "tests/worker/test_runs.py": "worker's nova",
    "tests/worker/test_runs_killed.py": "worker's other nova",
    "tests/worker/test_canary.py": "worker's other nova",
}
SPREAD = (
    "tests/commands/",
    "tests/panel/",
    "tests/test_benchmarks.py",
    "tests/unit/",
    "tests/worker/test_any_history.py",
)
ENGINES = ("sqlite", "postgresql", "mariadb")

#: The order of the groups, by how their names begin: first what is quick and fails most often, then
#: what takes longest, so that nothing of that is left for the end, then all others.
ORDER = (
    "sources",
    "tests/test_readme",
    "tests/core/",
    "tests/test_oldest_horizon",
    "libvirt",
    "browser",
    "worker's",
    "tests/worker/test_hosts_real_nova",
    "cloud",
    "own clouds",
    "tests/test_benchmarks",
    "tests/chaos/",
    "tests/worker/test_any_history",
    "tests/preflight/test_against_nova",
    "tests/worker/test_policy",
    "store",
    "hostile",
    "tests/test_packaging",
    "tests/panel/",
)


def group_of(nodeid: str) -> str:
    """What a test runs together with, one after the other in one process."""
    file = nodeid.partition("::")[0]
    if file.startswith("tests/store/"):  # a server each, for all files
        return next(
            (f"store {e}" for e in ENGINES if re.search(rf"[\[-]{e}[\]-]", nodeid)), "store"
        )
    apart = nodeid if file.startswith(SPREAD) else file
    return next((group for begin, group in TOGETHER.items() if file.startswith(begin)), apart)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    yield  # others sort too
    groups = [group_of(item.nodeid) for item in items]
    first = {group: place for place, group in reversed(list(enumerate(groups)))}

    def place(group: str) -> tuple[int, int]:
        rank = next((n for n, start in enumerate(ORDER) if group.startswith(start)), len(ORDER))
        return rank, first[group]

    items[:] = [
        item
        for _group, item in sorted(zip(groups, items, strict=True), key=lambda pair: place(pair[0]))
    ]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """That of ``--dist loadgroup``, but with our groups; its own are written into a field of
    pytest's that newer versions of pytest do not have."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return ByGroup(config, log)


#: A time as Python writes it, which is none that a person reads.
PYTHONS_TIME = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d|datetime\.datetime\("
)


@pytest.fixture(autouse=True, scope="session")
def _the_record_holds_words():
    """Whatever a test lets be recorded: no name of a field, no time as Python writes it."""
    from django.apps import apps
    from django.db.models.signals import pre_save

    from ukcloud_maintenance.message_field import MessageField
    from ukcloud_maintenance.messages import english

    models = apps.get_app_config("ukcloud_maintenance").get_models()
    names = {field.name for model in models for field in model._meta.get_fields()}
    ours = "|".join(sorted(name for name in names if "_" in name))
    # before a value, and not in the words of OpenStack, which has a task_state too
    fields = re.compile(rf'(?<!["\w])({ours})(: |=)')

    def check(instance, **_more):
        said = english(MessageField().to_python(instance.message))
        found = fields.search(said) or PYTHONS_TIME.search(said)
        assert not found, f"{instance.kind}: {said}"

    pre_save.connect(check, sender="ukcloud_maintenance.Event", weak=False)
