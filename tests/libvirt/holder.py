"""The first process of a machine: ``unshare --mount --uts --net --pid --fork python holder.py``.

Makes the namespaces a machine of its own (see ``machine``), says ``ready`` and then only reaps the
processes that lost their parent. When it ends, so do they, whatever they are: the kernel ends a PID
namespace with its first process.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys


def main() -> None:
    machine = json.loads(sys.argv[1])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    mount = ["mount", "--no-mtab"]
    subprocess.run([*mount, "--make-rprivate", "/"], check=True)
    for kind, where in (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")):
        subprocess.run([*mount, "-t", kind, kind, where], check=True)
    for source, target in machine["binds"]:
        subprocess.run([*mount, "--bind", source, target], check=True)
    subprocess.run(["hostname", machine["name"]], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    print("ready", flush=True)
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        signal.sigwait({signal.SIGCHLD})


if __name__ == "__main__":
    main()
