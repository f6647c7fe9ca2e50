"""The translations are whole: what is in the sources of them is in the compiled files too.

Whether the scripts say nothing that has no translation is looked at in tests/unit/test_scripts.py.
"""

import gettext
import json
import re
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils.translation import get_language, override

import ukcloud_maintenance
from tests.panel.test_german import ENGLISH
from ukcloud_maintenance.content.maintenance.common import labels
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.message import lines, message, several
from ukcloud_maintenance.exceptions import CloudForbidden

PACKAGE = Path(ukcloud_maintenance.__file__).parent
LOCALE = PACKAGE / "locale"
AT = datetime(2126, 3, 1, 21, tzinfo=UTC)
LANGUAGES = sorted(folder.name for folder in LOCALE.iterdir() if folder.is_dir())


def compiled(language: str) -> gettext.NullTranslations:
    return gettext.translation("django", LOCALE, [language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_of_the_source_is_translated_and_compiled(language):
    source = (LOCALE / language / "LC_MESSAGES" / "django.po").read_text()
    assert "#, fuzzy" not in source
    found = compiled(language)
    entries = [entry for entry in source.split("\n\n")[1:] if not entry.startswith("#~")]
    assert len(entries) > 150
    for entry in entries:
        strings = re.findall(r'^(msg\w+)(?:\[\d\])? "(.*)"$', entry, re.M)
        assert all(text for _kind, text in strings), entry
        said = {kind: text.replace('\\"', '"') for kind, text in strings}
        one, plural, form = said["msgid"], said.get("msgid_plural"), said["msgstr"]
        context = said.get("msgctxt")
        if plural and context:
            assert found.npgettext(context, one, plural, 2) == form
        elif plural:
            assert found.ngettext(one, plural, 2) == form
        elif context:
            assert found.pgettext(context, one) == form
        else:
            assert found.gettext(one) == form


@pytest.mark.parametrize(
    "said",
    [
        message("lands"),
        several(message("skipped_by", who="bob"), message("deleted")),
        lines(
            several(message("drained"), message("left_host", done=1, total=2)),
            message("instance_left", name="web-1", state="stays", why=message("chosen")),
        ),
        message("late", seconds=300),
        message("instance_cannot", name="web-1", why=message("given_back_since")),
        message("drain_cannot", drain=3, why=message("nothing_to_pause", state="succeeded")),
        message("returning", host="cmp1", who="bob", what=message("waits_for_worker")),
        CloudForbidden(
            message("to_list_servers", host="cmp1"),
            message("nova_hides_hosts"),
            status=403,
            remedy=message("check_project", cloud="main"),
        ).said,
        message(
            "changed",
            what=[
                message("pace_changed", count=4, before=2),
                message("timeout_changed", action="abort", before="warn"),
                message("window_end_moved", at=AT, before=AT),
                message("window_start_removed", before=AT),
            ],
        ),
        message("task_does_not_end", what=message("migration_over", status="error"), task="x"),
    ],
)
def test_no_piece_of_what_is_said_stays_english(said):
    with override("de"):
        told = labels.said(said)
    assert not re.search(
        r"\b(the|is|has|it|since|asked|host again|timeout action|at once|window|removed|end)\b",
        told,
    ), told


def test_values_are_written_as_the_reader_is_used_to_and_words_of_others_to_the_letter():
    disk = message("local_disk", size=20 * 1024**3)
    busy = message("task_under_way", task="100%(x)s {name}")
    assert labels.said(disk) == (
        "Its local disk (20 GiB) is copied as well, unless the hosts share storage."
    )
    with override("de"):
        assert labels.said(disk).startswith("Ihre lokale Platte (20 GiB) wird mitkopiert")
        assert "in Arbeit (100%(x)s {name}). Die" in labels.said(busy)


# -- the scripts' own ------------------------------------------------------------------------


def test_the_catalog_of_scripts_that_a_page_refers_to_has_ours(admin):
    admin.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    with override(get_language()):  # the page's language would stay for other tests
        page = admin.get(reverse("horizon:admin:maintenance:index")).content.decode()
        [url] = re.findall(r'<script[^>]* src="([^"]*/i18n/js/[^"]*)"', page)
        script = admin.get(url).content.decode()
    [found] = re.findall(r"const newcatalog = (\{.*?\n  \});", script, re.S)
    catalog = json.loads(found)
    assert catalog["%(n)s of %(all)s shown"] == "%(n)s von %(all)s gezeigt"
    assert catalog["%(n)s host selected."] == ["%(n)s Host ausgewählt.", "%(n)s Hosts ausgewählt."]
    ours = gettext.translation("djangojs", LOCALE, ["de"])._catalog
    assert {key if isinstance(key, str) else key[0] for key in ours} - {""} <= set(catalog)
    assert "return v ? 1 : 0;" in script  # and which plural belongs to a number


def test_no_text_of_a_script_stays_english():
    ours = gettext.translation("djangojs", LOCALE, ["de"])._catalog
    assert [text for key, text in ours.items() if key and ENGLISH.search(text)] == []
