"""What the demo and the tests keep in one folder of the user's: who reads it keeps it."""

import os
import subprocess
import sys

import pytest

from ukcloud_maintenance.demo import cache

#: Another process that holds an entry, says so, and ends when told to.
HOLDER = """
import sys
from pathlib import Path
from ukcloud_maintenance.demo import cache
cache.hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
"""


def test_what_somebody_reads_stays_however_old_and_the_rest_goes(tmp_path):
    parent = tmp_path / "static"
    entries = [parent / name for name in ("newest", "in-use", "unused", "new-abandoned")]
    for entry in entries:
        (entry / "deep").mkdir(parents=True)
        os.utime(entry, (0, 0))
    newest, in_use, *_ = entries
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(in_use)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with cache.one_at_a_time(parent):
            cache.remove_others(newest)
        assert sorted(parent.iterdir()) == [in_use, newest]
        assert (in_use / "deep").exists()
        holder.communicate("end\n")
    with cache.one_at_a_time(parent):
        cache.remove_others(newest)
    assert list(parent.iterdir()) == [newest]


def test_a_template_that_is_being_removed_is_none(tmp_path, monkeypatch):
    pytest.importorskip("keystone")  # of which it is a template
    from ukcloud_maintenance.demo import databases

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    template = cache.directory() / "templates" / databases.template_key()
    assert not databases.copy_from_template(tmp_path / "state")
    template.mkdir(parents=True)  # what is left when "complete" has gone
    assert not databases.copy_from_template(tmp_path / "state")
