"""What a cloud of real hypervisors is made of on this machine: found, or made once and kept.

It needs root, x86_64, Linux namespaces and the Debian packages below; `.ci/debian-packages`, as
root, installs them. KVM is not needed. What is made is kept in ``.libvirt`` in the repository: the
Python binding of the installed libvirt, a kernel for the guests, and the guests' images.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import uuid
from pathlib import Path

from . import machine

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".libvirt"

#: Debian package -> a file of it that is used. One a line: .ci/debian-packages reads them here.
PACKAGES = {
    "cpio": "/usr/bin/cpio",
    "gcc": "/usr/bin/gcc",
    "libc6-dev": "/usr/lib/x86_64-linux-gnu/libc.a",
    "iproute2": "/usr/sbin/ip",
    "libvirt-clients": "/usr/bin/virsh",
    "libvirt-daemon": "/usr/sbin/libvirtd",
    "libvirt-daemon-driver-qemu": "/usr/bin/virt-qemu-run",
    "libvirt-dev": "/usr/include/libvirt/libvirt.h",
    "pkg-config": "/usr/bin/pkg-config",
    "qemu-system-x86": "/usr/bin/qemu-system-x86_64",
    "qemu-utils": "/usr/bin/qemu-img",
    "rabbitmq-server": "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "util-linux": "/usr/bin/nsenter",
}

#: What a guest does -> its kernel's options (see guest.c).
KINDS = {
    "idle": "",
    "full": "hold=60",
    "busy": "hold=30 write=20",
    "storm": "hold=50 write=400",
}


def _identity(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"guest image {name}"))


#: What a guest does -> the id of its image.
IMAGES = {kind: _identity(kind) for kind in KINDS}


def missing() -> str | None:
    """Why such a cloud can't be had on this machine, in one line; None where it can."""
    if os.geteuid() != 0:
        return "real hypervisors need root (namespaces, mounts and network interfaces)"
    if os.uname().machine != "x86_64":
        return f"the guests are of x86_64, this machine is of {os.uname().machine}"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return f"the headers of {sys.executable} are missing (python3-dev, for Debian's Python)"
    absent = [name for name, file in PACKAGES.items() if not Path(file).exists()]
    if absent:
        return f"Debian packages missing: {' '.join(absent)} (.ci/debian-packages installs them)"
    script = (
        "mount -t proc proc /proc; mount -t sysfs sysfs /sys;"
        " ip link add lan type bridge; ip link add one type veth peer name other"
    )
    tried = subprocess.run(
        [*machine.UNSHARE, "sh", "-ec", script],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        said = tried.stderr.strip().splitlines()
        return f"this machine makes no namespaces with a bridge: {said[-1] if said else 'refused'}"
    try:
        prepare()
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        return f"could not prepare {CACHE}: {said.strip().splitlines()[-1]}"
    return None


def _run(*command: str, **more) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, **more)
    return done.stdout


@functools.cache
def prepare() -> None:
    """Make what is not in the cache yet; needs a package registry the first time."""
    CACHE.mkdir(exist_ok=True)
    _python_binding()
    _kernel()
    _images()


def python_path() -> Path:
    """The folder with the Python binding of the installed libvirt."""
    version = _run("pkg-config", "--modversion", "libvirt").strip()
    return CACHE / f"python-{version}-{sys.version_info.major}.{sys.version_info.minor}"


def _python_binding() -> None:
    folder = python_path()
    if folder.exists():
        return
    version = folder.name.split("-")[1]
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
        _run(*pip, "--disable-pip-version-check", "--target", work, f"libvirt-python=={version}")
        shutil.copytree(work, folder)


def _kernel() -> None:
    if (CACHE / "vmlinuz").exists():
        return
    depends = _run("apt-cache", "depends", "--important", "linux-image-cloud-amd64")
    names = [line.split()[-1] for line in depends.splitlines() if "Depends: linux-image" in line]
    if not names:
        raise OSError("apt knows no linux-image-cloud-amd64 (apt-get update?)")
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        # As root, since apt's own user may not write here.
        _run("apt-get", "-o", "APT::Sandbox::User=root", "download", names[0], cwd=work)
        _run("dpkg-deb", "-x", *[str(p) for p in Path(work).glob("*.deb")], f"{work}/tree")
        (kernel,) = Path(work, "tree", "boot").glob("vmlinuz-*")
        kernel.rename(CACHE / "vmlinuz")


def _images() -> None:
    """A kernel, an initrd with one program, an empty disk, and one image for each kind of guest,
    which differ in the kernel's command line."""
    folder = CACHE / "images"
    folder.mkdir(exist_ok=True)
    source = HERE / "guest.c"
    initrd = folder / "initrd"
    if not initrd.exists() or initrd.stat().st_mtime < source.stat().st_mtime:
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            _run("gcc", "-static", "-O2", "-o", f"{work}/init", str(source))
            os.mkdir(f"{work}/dev")
            # What the kernel gives the first process for its output.
            os.mknod(f"{work}/dev/console", 0o600 | 0o020000, os.makedev(5, 1))
            archive = subprocess.run(
                ["cpio", "--quiet", "-o", "-H", "newc"],
                input=b"init\ndev\ndev/console\n",
                cwd=work,
                check=True,
                capture_output=True,
            ).stdout
        initrd.write_bytes(gzip.compress(archive))
    with (folder / "disk").open("wb") as disk:
        disk.truncate(4 * 1024**2)
    if not (folder / "kernel").exists():
        shutil.copyfile(CACHE / "vmlinuz", folder / "kernel")
    kernel, ramdisk = _identity("kernel"), _identity("initrd")
    images = {
        kernel: {"file": "kernel", "disk_format": "aki", "container_format": "aki"},
        ramdisk: {"file": "initrd", "disk_format": "ari", "container_format": "ari"},
    }
    for kind, options in KINDS.items():
        images[IMAGES[kind]] = {
            "file": "disk",
            "name": kind,
            "disk_format": "raw",
            "kernel_id": kernel,
            "ramdisk_id": ramdisk,
            "os_command_line": f"console=ttyS0 quiet panic=1 {options}".rstrip(),
        }
    (folder / "images.json").write_text(json.dumps(images))
