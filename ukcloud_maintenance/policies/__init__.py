"""The policy file of scope ``maintenance`` for Horizon's POLICY_FILES, and its defaults.

Both are absolute paths: Horizon joins them to POLICY_FILES_PATH, which an absolute one wins.
"""

import os

SCOPE = "maintenance"
_HERE = os.path.dirname(os.path.abspath(__file__))
POLICY_FILE = os.path.join(_HERE, "maintenance_policy.yaml")
DEFAULT_POLICY_FILE = os.path.join(_HERE, "maintenance_defaults.yaml")
