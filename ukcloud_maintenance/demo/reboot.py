"""The maintenance action of the demo: takes a simulated host down and up again.

``python -m ukcloud_maintenance.demo.reboot HOST URL [SECONDS]`` stands in for what reboots a real
hypervisor, such as a playbook of Ansible's. URL is that of the demo's control plane.
"""

import sys
import time

import requests


def main() -> int:
    host, url, *rest = sys.argv[1:]
    seconds = float(rest[0]) if rest else 3.0
    with requests.Session() as http:
        http.trust_env = False

        def tell(what: str) -> None:
            answer = http.post(f"{url}/demo/hosts/{host}", json={"do": what}, timeout=60)
            answer.raise_for_status()

        print(f"PLAY [reboot] {host}", flush=True)
        tell("stop")
        print("the host is down; new packages are installed", flush=True)
        time.sleep(seconds)
        tell("boot")
        print("the host is up again", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
