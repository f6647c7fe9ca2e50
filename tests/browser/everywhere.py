"""Every page and every dialog of the panel, one after the other, in every state they can have."""

from collections.abc import Iterator

from selenium.webdriver.common.keys import Keys

#: what is ours on a page, and where a dialog is shown, in it
CONTENT = ".mnt-page"
MODAL = "#modal_wrapper .modal"
LISTS = ("", "drains/", "plans/", "runs/", "hosts/cmp1/", "hosts/cmp10/", "hosts/cmp5/")
STATES = ("running", "needs", "paused", "scheduled", "failed", "unknown", "succeeded", "long")
#: what opens a dialog on the page of the drain that needs somebody
NEEDS = {
    "cancel": "#mnt-cancel",
    "skip": "[data-needs] a[href*='/skip/']",
    "force": "[data-needs] a[href*='/force/']",
    "abort": "[data-needs] a[href*='/abort/']",
    "evidence": "[data-needs] a[href*='/reset/']",
}


def click(window, selector: str) -> None:
    """By script: whether a narrow window has scrolled it into sight is not the question."""
    window.wait(lambda: window.find(selector), selector)
    window.driver.execute_script("arguments[0].click()", window.find(selector))


def settled(window) -> bool:
    """The dialog has been faded in: half of that, its colours are no contrast."""
    return window.driver.execute_script(
        "return !document.getAnimations().some(one => one.playState === 'running')"
    )


def opened(window, inside: str) -> str:
    window.see(f"{MODAL} {inside}")
    window.wait(lambda: settled(window), "the dialog has come to rest")
    return MODAL


def unfold(window) -> None:
    for summary in window.find_all(f"{CONTENT} summary"):
        window.driver.execute_script("arguments[0].click()", summary)


def everywhere(window, drains: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Go everywhere; at each stop its name, and the selector of what is ours there.

    :param drains: numbers of the drains of `all_drains`, and with servers on cmp1 and cmp11
    """
    for stops in (lists, pages_of_drains, dialogs, preflights, plans, runs):
        yield from stops(window, drains)


def lists(window, drains) -> Iterator[tuple[str, str]]:
    for path in LISTS:
        window.go(path)
        window.see(CONTENT)
        yield path or "hosts", CONTENT
    window.go("hosts/cmp10/certificate/")
    window.see("body")
    yield "certificate", "body"
    window.go("drains/4711/")
    window.see(CONTENT)
    yield "a drain that is not there", CONTENT


def pages_of_drains(window, drains) -> Iterator[tuple[str, str]]:
    for state in STATES:
        window.go(f"drains/{drains[state]}/")
        window.see("#mnt-drain")
        yield state, CONTENT
        unfold(window)
        window.see("#mnt-timeline tbody tr")
        window.see("#mnt-picture .mnt-lanes-picture")
        yield f"{state}, unfolded", CONTENT
    for page in ("picture", "timeline"):
        window.go(f"drains/{drains['needs']}/{page}/")
        yield f"the {page} as a page", CONTENT


def dialogs(window, drains) -> Iterator[tuple[str, str]]:
    page = f"drains/{drains['needs']}/"
    window.go(page)
    window.see(".mnt-menu button").send_keys(Keys.ENTER)
    window.see(".mnt-menu.open a")
    yield "menu of an instance", CONTENT
    for name, selector in NEEDS.items():
        window.go(page)
        click(window, selector)
        yield name, opened(window, ".modal-footer")
    window.go(page)
    click(window, "tr[data-name^=failed] .mnt-menu button")
    click(window, "tr[data-name^=failed] a[data-verb=retry_on]")
    yield "retry on a host", opened(window, ".modal-footer")
    window.go(f"drains/{drains['scheduled']}/change/")
    yield "change", CONTENT
    window.go("hosts/cmp10/")
    click(window, "#mnt-return")
    yield "return", opened(window, ".modal-footer")
    window.go("hosts/cmp10/allocations/")
    yield "allocations", CONTENT


def preflights(window, drains) -> Iterator[tuple[str, str]]:
    window.go()
    click(window, "tr[data-host=cmp11] a[href*='/check/']")
    yield "preflight", opened(window, ".mnt-hosts-table")
    window.go("hosts/cmp11/check/")
    yield "the preflight as a page", CONTENT
    window.go()
    click(window, "tr[data-host=cmp11] a[href*='/check/']")
    opened(window, ".mnt-hosts-table")
    click(window, f"{MODAL} .mnt-go-on")
    yield from steps(window, "one host", opened(window, ".mnt-plan"))
    window.go("hosts/cmp11/drain/")
    yield "the workflow as a page", CONTENT


def plans(window, drains) -> Iterator[tuple[str, str]]:
    window.go(f"plans/{drains['plan']}/")
    yield "plan", CONTENT
    for dialog in ("cancel", "change"):
        window.go(f"plans/{drains['plan']}/{dialog}/")
        yield f"{dialog} of a plan", CONTENT
    window.go("plans/new/?host=cmp11&host=cmp10")
    yield from steps(window, "several hosts", CONTENT)
    window.go("plans/new/?host=cmp1&host=cmp2")
    yield "several hosts that are refused", CONTENT


def runs(window, drains) -> Iterator[tuple[str, str]]:
    window.go(f"runs/{drains['run']}/")
    window.see("#mnt-run")
    unfold(window)
    yield "run, unfolded", CONTENT
    for page in ("cancel", "add", "record"):
        window.go(f"runs/{drains['run']}/{page}/")
        yield f"{page} of a run", CONTENT
    window.go("runs/new/?host=cmp11&host=cmp12")
    window.see("[name=windows]").send_keys("whenever")
    click(window, ".mnt-form-buttons [value=review]")
    window.wait(lambda: window.find_all(".has-error"), "a reason is required")
    yield "the form of a run", CONTENT
    window.find("[name=windows]").clear()
    window.find("[name=reason]").send_keys("new kernel")
    click(window, ".mnt-form-buttons [value=review]")
    window.see("#mnt-run-preview")
    yield "the review of a run", CONTENT


def steps(window, name: str, scope: str) -> Iterator[tuple[str, str]]:
    """The three steps of the Drain Host workflow, which is on the first one."""
    yield f"{name}: instances", scope
    click(window, f"{scope} .button-next")
    window.see(f"{scope} [name=reason]")
    click(window, f"{scope} .button-next")
    window.wait(lambda: window.find_all(f"{scope} .has-error"), "a reason is required")
    window.wait(lambda: settled(window), "the step has come to rest")
    yield f"{name}: options", scope
    window.see(f"{scope} [name=reason]").send_keys("new kernel")
    click(window, f"{scope} .button-next")
    window.see(f"{scope} .mnt-review")
    window.wait(lambda: settled(window), "the step has come to rest")
    yield f"{name}: review", scope
