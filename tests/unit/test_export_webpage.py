"""A page as its readers get it: whole and in order, for eyes and ears, nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from tests import records
from vault.export import reports, story, webpage
from vault.export.pages import Document, Section, Table, brief
from vault.export.sheets import Cell
from vault.model import Json

#: What has no end tag. Source: HTML Living Standard, section 13.1.2.
VOID = {"meta"}
SVG = {"svg", "rect", "circle", "line", "text", "g"}
HTML = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "h1", "h2"),
    *("h3", "p", "dl", "dt", "dd", "figure", "figcaption", "div", "table", "thead", "tbody", "tr"),
    *("th", "td", "ol", "li", "span"),
}


class Tree(HTMLParser):
    """The tags of a page, each with its attributes and with the tags it lies in."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[tuple[str, ...], dict[str, str | None], str]] = []
        self._open: list[int] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        path = (*(self.found[n][0][-1] for n in self._open), tag)
        self.found.append((path, dict(attrs), ""))
        if tag not in VOID:
            self._open.append(len(self.found) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SVG  # only there may a tag end itself
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.found[self._open.pop()][0][-1] == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            path, attributes, text = self.found[self._open[-1]]
            self.found[self._open[-1]] = (path, attributes, text + data)

    def every(self, *tags: str) -> list[tuple[tuple[str, ...], dict[str, str | None], str]]:
        return [one for one in self.found if one[0][-1] in tags]


def pages() -> Sequence[str]:
    """An export of a session, one of several, and a report of everything."""
    order = records.order(scope="all_sessions")
    given = [records.hostile(), records.record()]
    sections = reports.chosen("custom_report", tuple(reports.SECTIONS))
    documents = (
        story.sessions([records.record()], records.order()),
        story.sessions(given, order),
        reports.report("custom_report", sections, given, order),
    )
    return [b"".join(webpage.html_file(document)).decode() for document in documents]


@pytest.fixture(params=pages(), ids=["one", "several", "report"])
def page(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def test_every_tag_is_known_and_ends_where_it_should(page: str) -> None:
    tree = Tree(page)
    assert page.startswith("<!DOCTYPE html>\n")
    assert {path[-1] for path, _, _ in tree.found} <= HTML | SVG
    inside = {"td": "tr", "th": "tr", "li": "ol", "dt": "dl", "dd": "dl", "figcaption": "figure"}
    for path, _, _ in tree.found:
        if path[-1] in inside:
            assert path[-2] == inside[path[-1]]


def test_a_page_says_its_language_its_title_and_what_it_mainly_is(page: str) -> None:
    tree = Tree(page)
    ((_, html, _),) = tree.every("html")
    ((_, _, title),) = tree.every("title")
    ((_, _, heading),) = tree.every("h1")
    assert html["lang"] == "en"
    assert title == heading != ""
    assert len(tree.every("main")) == 1
    levels = [int(path[-1][1]) for path, _, _ in tree.every("h1", "h2", "h3")]
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_what_is_drawn_is_said_and_tables_have_headings(page: str) -> None:
    tree = Tree(page)
    names = {
        attributes.get("role"): attributes.get("aria-label") for _, attributes, _ in tree.found
    }
    assert names["img"]
    for path, _, _ in tree.every("svg"):
        assert path[-3:] == ("figure", "div", "svg")
    assert all(each["role"] == "img" for path, each, _ in tree.every("div") if "figure" in path)
    assert {each.get("scope") for _, each, _ in tree.every("th")} == {"col"}
    assert len(tree.every("thead")) == len(tree.every("tbody")) == len(tree.every("table")) > 0
    assert all("tabindex" in each for _, each, _ in tree.every("figure"))  # they can be scrolled


def test_a_page_asks_for_nothing_and_its_policy_allows_its_own_style_alone(page: str) -> None:
    tree = Tree(page)
    ((_, _, style),) = tree.every("style")
    (policy,) = [each["content"] for _, each, _ in tree.every("meta") if "http-equiv" in each]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"url\(|@import|expression", style)
    names = {name for _, attributes, _ in tree.found for name in attributes}
    assert not names & {"src", "href", "xlink:href", "srcset", "action", "data", "style", "id"}
    assert not any(name.startswith("on") for name in names)


def test_a_column_of_numbers_stands_on_the_right_and_a_long_one_may_break() -> None:
    rows: list[tuple[Cell, ...]] = [("a" * 500, 1.5, "x"), ("b", None, 2)]
    table = Table("t", ("value", "seconds", "mixed"), rows)
    document = Document("T", "", records.AT, [Section("S", [table])])
    tree = Tree(b"".join(webpage.html_file(document)).decode())
    assert [each["class"] for _, each, _ in tree.every("th")] == ["long", "number", "text"]
    assert [each["class"] for _, each, _ in tree.every("td")] == ["long", "number", "text"] * 2
    ((_, group, _),) = [one for one in tree.every("div") if one[1].get("class") == "table"]
    assert group | {"role": "group", "aria-label": "t", "tabindex": "0"} == group


def test_what_a_source_states_is_told_without_braces_and_cut_with_a_mark() -> None:
    value: dict[str, Json] = {"name": "find", "args": {"phone": "555"}, "ok": True}
    value |= {"none": None, "at": [1, 2.5]}
    assert brief(value) == "name find, args (phone 555), ok yes, none –, at [1, 2.5]"
    long = brief({"text": "a" * 300})
    assert (len(long), long[-1]) == (200, "…")
    deep: list[Json] = []
    for _ in range(50):
        deep = [deep]
    assert "…" in brief(deep)


def test_a_bar_of_the_timeline_lies_within_the_picture() -> None:
    extreme = replace(records.record(), session=records.hostile().session)
    for drawn in story.drawn(extreme):
        root = records.parsed(drawn.svg)
        width = float(root.get("width", ""))
        for one in root.iter("{http://www.w3.org/2000/svg}rect"):
            assert 0 <= float(one.get("x", "")) <= width
            assert float(one.get("x", "")) + float(one.get("width", "")) <= width + 1.6
