"""What `setup.cfg` cannot say: that two builds of the same source are equal to the byte."""

import gzip
import os
import tarfile
import time
from pathlib import Path

from setuptools import setup
from setuptools.command.sdist import sdist

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # before 70.1, when it was another package's: no release is built with those
    bdist_wheel = None


class ReproducibleSdist(sdist):
    """An archive of files in order, by nobody, all of the time that SOURCE_DATE_EPOCH tells."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, owner=None, group=None):
        if format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, owner, group)
        made = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))

        def plain(member):
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = made
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            return member

        os.makedirs(os.path.dirname(base_name), exist_ok=True)
        name = f"{base_name}.tar.gz"
        with (
            open(name, "wb") as file,
            gzip.GzipFile("", "wb", mtime=made, fileobj=file) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
        ):
            for path in sorted(Path(base_dir).rglob("*")):
                archive.add(path, recursive=False, filter=plain)
        return name


COMMANDS = {"sdist": ReproducibleSdist}
if bdist_wheel:

    class ReproducibleWheel(bdist_wheel):
        """The same order and time, which setuptools sees to, and modes that are nobody's."""

        def write_wheelfile(self, *arguments, **options):
            super().write_wheelfile(*arguments, **options)
            # the last that is put there before all of it is packed
            for path in Path(self.bdist_dir).rglob("*"):
                path.chmod(0o755 if path.is_dir() else 0o644)

    COMMANDS["bdist_wheel"] = ReproducibleWheel

setup(cmdclass=COMMANDS)
