"""Keys that once were settings, and what replaced each: for operators whose dict still has one."""

REMOVED: dict[str, str] = {
    key: f"Remove it. {instead}"
    for key, instead in {
        "MAX_CONCURRENT_CEILING": "The most that an admin may request is MAX_IN_REGION, and never"
        " more than 100.",
        "RETRY_MAX_SECONDS": "The longest pause between two attempts is 600 s, or RETRY_SECONDS"
        " where that is longer.",
        "LEASE_SECONDS": "A worker keeps a drain for three times API_TIMEOUT_SECONDS without a"
        " sign of life.",
        "PASS_SECONDS": "A pass may take six times API_TIMEOUT_SECONDS.",
        "WORKER_SILENT_SECONDS": "The pages warn when no worker has reported for 90 s, or for"
        " three times API_TIMEOUT_SECONDS where that is longer.",
        "PAGE_TIMEOUT_SECONDS": "A page waits for half of API_TIMEOUT_SECONDS, and at least 15 s.",
        "LATE_SECONDS_PER_GIB": "A GiB may take a tenth of LATE_MIN_SECONDS.",
        "ABORT_WAIT_SECONDS": "A drain that is cancelled waits 300 s for what it aborts, and no"
        " longer than CANCEL_WAIT_SECONDS.",
        "RETURN_WAIT_SECONDS": "A return to service waits for HOST_DOWN_WAIT_SECONDS.",
    }.items()
}
