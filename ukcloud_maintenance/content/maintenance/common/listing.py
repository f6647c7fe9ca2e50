"""Lists that are filtered, sorted and paged on the server, all of it told in the URL.

So they work without a script, can be bookmarked, and go back and forth with the browser.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column of a list.

    :param slug: its name in the URL
    :param title: its header
    :param text: what the filter looks at
    :param key: what it is sorted by; without one it is not sorted
    :param css: classes of its cells and header
    """

    slug: str
    title: str
    text: Callable[[Row], str] | None = None
    key: Callable[[Row], Any] | None = None
    css: str = ""


@dataclass(frozen=True)
class Query:
    """What the URL asks for."""

    text: str = ""
    column: str = ""
    state: str = ""
    sort: str = ""
    descending: bool = False
    page: str = "1"

    @classmethod
    def of(cls, parameters) -> "Query":
        return cls(
            text=parameters.get("q", "").strip()[:255],
            column=parameters.get("column", ""),
            state=parameters.get("state", ""),
            sort=parameters.get("sort", ""),
            descending=parameters.get("order") == "desc",
            page=parameters.get("page", "1"),
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.text or self.state)

    def url(self, **changes: str) -> str:
        """The URL's query with some of it changed."""
        all_of_it = {
            "q": self.text,
            "column": self.column if self.text else "",
            "state": self.state,
            "sort": self.sort,
            "order": "desc" if self.descending else "",
            "page": "" if self.page == "1" else self.page,
        } | changes
        return "?" + urlencode({k: v for k, v in all_of_it.items() if v})


@dataclass(frozen=True)
class Header:
    """A column's header: where it leads, and how the list is sorted now."""

    title: str
    css: str
    url: str = ""
    direction: str = ""  # ascending, descending, or empty where it is sorted by another one

    @property
    def aria_sort(self) -> str:
        return self.direction or "none"


class Paged:
    """A page of something that was found, a list or the rows of a database."""

    def __init__(self, query: Query, found: Any, page_size: int):
        self.query = query
        self.page: Page = Paginator(found, max(1, page_size)).get_page(query.page)

    @property
    def previous_url(self) -> str:
        return self.query.url(page=str(self.page.previous_page_number()))

    @property
    def next_url(self) -> str:
        return self.query.url(page=str(self.page.next_page_number()))


class Listing(Paged, Generic[Row]):
    """A list of rows with its filter, order and pages.

    :param found: all rows that match, in order
    :param total: how many there are, whether they match or not
    """

    def __init__(
        self,
        query: Query,
        columns: Sequence[Column[Row]],
        found: list[Row],
        total: int,
        page_size: int,
        default_sort: str,
    ):
        super().__init__(query, found, page_size)
        self.columns = columns
        self.total = total
        self.default_sort = default_sort

    @property
    def sorted_by(self) -> str:
        known = {c.slug for c in self.columns if c.key}
        return self.query.sort if self.query.sort in known else self.default_sort

    @property
    def headers(self) -> list[Header]:
        return [self._header(column) for column in self.columns]

    def _header(self, column: Column[Row]) -> Header:
        if column.key is None:
            return Header(column.title, column.css)
        now = column.slug == self.sorted_by
        turn = now and not self.query.descending
        return Header(
            column.title,
            column.css,
            self.query.url(sort=column.slug, order="desc" if turn else "", page=""),
            ("descending" if self.query.descending else "ascending") if now else "",
        )

    @property
    def searchable(self) -> list[Column[Row]]:
        return [column for column in self.columns if column.text]


def listing(
    rows: Iterable[Row],
    columns: Sequence[Column[Row]],
    query: Query,
    *,
    has_state: Callable[[Row, str], bool],
    page_size: int,
    default_sort: str,
) -> Listing[Row]:
    """Filter, sort and page the rows as the query asks."""
    every = list(rows)
    by_slug = {column.slug: column for column in columns}
    asked = by_slug.get(query.column)
    looked_at = [asked] if asked and asked.text else [c for c in columns if c.text]
    needle = query.text.casefold()
    found = [
        row
        for row in every
        if (not query.state or has_state(row, query.state))
        and (not needle or any(needle in c.text(row).casefold() for c in looked_at if c.text))
    ]
    by_default = by_slug[default_sort].key
    if by_default:
        found.sort(key=by_default)
    chosen = by_slug.get(query.sort)
    if chosen and chosen.key:
        found.sort(key=chosen.key, reverse=query.descending)
    elif query.descending:
        found.reverse()
    return Listing(query, columns, found, len(every), page_size, default_sort)
