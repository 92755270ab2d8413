"""Pages and pictures: what they show is what was measured, and nothing in a text steers them."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import docx
import pytest

from tests import records
from vault.errors import UsageError
from vault.export import pdf, pictures, reports, story, word
from vault.export.pages import Document, Facts, Picture, Section, Table, Turns
from vault.export.record import Record
from vault.formats.fields import Notes
from vault.model import Event, Json

SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg: str | None) -> ET.Element:
    assert svg is not None
    return records.parsed(svg)


def bars(root: ET.Element, colour: str) -> list[tuple[float, float]]:
    return [
        (float(e.get("x", "")), float(e.get("width", "")))
        for e in root.iter(f"{SVG}rect")
        if e.get("fill") == colour and float(e.get("height", "")) > 12
    ]


def test_a_timeline_has_a_bar_where_somebody_spoke() -> None:
    session = records.record().session
    root = drawn(pictures.timeline(session.timeline.segments, (), 4 * records.SECOND))
    ((user_x, user_width),) = bars(root, pictures.COLOURS["user"])
    ((agent_x, agent_width),) = bars(root, pictures.COLOURS["agent"])
    span = 720 - 64 - 12
    assert [user_x, user_width] == pytest.approx([64, span / 4], abs=0.1)
    assert [agent_x, agent_width] == pytest.approx([64 + span / 4, span / 4], abs=0.1)


def test_a_timeline_of_a_hundred_thousand_turns_is_as_large_as_its_pixels() -> None:
    turn = records.record().session.timeline.segments[0]
    many = [replace(turn, start_ns=n * 10, end_ns=n * 10 + 5) for n in range(100_000)]
    svg = pictures.timeline(many, (), 1_000_000)
    assert svg is not None
    assert len(svg) < 100_000


def test_talk_time_gives_everybody_their_share() -> None:
    root = drawn(pictures.talk_time({"user": 1.0, "agent": 3.0}, None))
    ((_, user),), ((_, agent),) = (bars(root, pictures.COLOURS[role]) for role in ("user", "agent"))
    assert agent / user == pytest.approx(3, abs=0.1)
    words = [e.text for e in root.iter(f"{SVG}text")]
    assert words == ["user 1.0 s (25 %)", "agent 3.0 s (75 %)"]


def test_response_times_lie_higher_the_longer_they_are() -> None:
    root = drawn(pictures.latency([(0, 0.5), (records.SECOND, 1.5)], {"median": 1.0}))
    heights = [float(e.get("cy", "")) for e in root.iter(f"{SVG}circle")]
    (line,) = root.iter(f"{SVG}line")
    assert heights[1] < float(line.get("y1", "")) < heights[0]
    assert "median 1 s" in [e.text for e in root.iter(f"{SVG}text")]


def plot(record: Record) -> tuple[str, list[str]]:
    """What is said of the picture of response times, and the words in it."""
    *_, found = story.drawn(record)
    return found.alt, [str(e.text) for e in drawn(found.svg).iter(f"{SVG}text")]


def test_response_times_are_drawn_from_what_the_metrics_are_made_of() -> None:
    events = [
        Event(0, "message.created", 0, {"Role": "user", "Index": 0}),
        Event(1, "message.updated", 1, {"Index": 0, "LatencyMs": 9000}),
        Event(2, "message.created", 2, {"Role": "assistant", "Index": 1}),
        Event(3, "message.updated", records.SECOND, {"Index": 1, "LatencyMs": 321}),
    ]
    alt, words = plot(timed(events=events))
    assert alt == "Response times over the session, stated, with their median and p95"
    assert {"median 321 ms", "p95 321 ms"} <= set(words)


def test_response_times_that_nobody_states_are_those_between_the_turns() -> None:
    record = records.record(("One", "Two", "Three", "Four"))
    user, agent, again, late = record.session.timeline.segments
    segments = [
        user,
        replace(agent, start_ns=user.end_ns + records.SECOND // 2, end_ns=2 * records.SECOND),
        again,
        replace(late, start_ns=again.end_ns - 1),  # which overlaps, and so is no wait
    ]
    alt, words = plot(timed(segments=segments, events=()))
    assert "by transport times" in alt
    assert {"median 500 ms", "p95 500 ms"} <= set(words)


def timed(**changes: Any) -> Record:
    session = records.record().session
    timeline = replace(session.timeline, **changes)
    return replace(records.record(), session=replace(session, timeline=timeline))


def test_many_responses_are_bars_as_high_as_they_are_many() -> None:
    seconds = [0.1] * 300 + [0.45] * 100 + [1.0]
    root = drawn(pictures.spread(seconds))
    found = [e for e in root.iter(f"{SVG}rect") if e.get("fill") == pictures.COLOURS["agent"]]
    places = [(float(e.get("x", "")), float(e.get("height", ""))) for e in found]
    span = 720 - 64 - 12
    # Of twenty bars up to a second the third, the tenth and, as the least there is, the last.
    assert [x for x, _ in places] == pytest.approx(
        [64 + span * n / 20 for n in (2, 9, 19)], abs=0.1
    )
    assert [height for _, height in places] == pytest.approx([116, 116 / 3, 1.5], abs=0.1)
    words = [e.text for e in root.iter(f"{SVG}text")]
    assert words == ["300", "0 s", "200 ms", "400 ms", "600 ms", "800 ms", "1 s"]
    assert drawn(pictures.spread([0.0, 1e5, 1e-9])) is not None


def test_where_there_is_nothing_there_is_no_picture() -> None:
    assert pictures.timeline((), (), None) is None
    assert pictures.talk_time({"user": 0.0}, 5.0) is None
    assert pictures.latency((), {}) is None
    assert pictures.spread(()) is None


def test_hostile_roles_and_extreme_times_still_draw() -> None:
    turn = records.record().session.timeline.segments[0]
    for hostile in records.HOSTILE:
        assert drawn(pictures.timeline([replace(turn, role=hostile)], (), 1)) is not None
        assert drawn(pictures.talk_time({hostile: 1e-9}, 1e12)) is not None
    for longest in (1e5, 366 * 86_400.0):
        points = [(10**18, longest), (0, 0.0)]
        assert drawn(pictures.latency(points, {"p95": longest})) is not None
    assert (
        drawn(pictures.timeline([replace(turn, end_ns=-5)], (), 366 * 86_400 * 10**9)) is not None
    )


def test_a_pdf_is_archival_and_hostile_text_is_only_text() -> None:
    notes = Notes()
    plain = replace(records.hostile(), warnings=(), parts=())
    document = story.sessions([plain], records.order())
    whole = b"".join(pdf.pdf_file(document, notes))
    assert whole.startswith(b"%PDF-1.")
    assert b"<pdfaid:part>2</pdfaid:part>" in whole
    assert b"/JavaScript" not in whole
    assert notes.all() == ()


def test_a_pdf_of_characters_no_font_has_is_plain_and_says_so() -> None:
    notes = Notes()
    document = story.sessions([records.record(("\U000e0fff \u0378",))], records.order())
    whole = b"".join(pdf.pdf_file(document, notes))
    assert whole.startswith(b"%PDF-1.")
    assert [w.code for w in notes.all()] == ["not-archival"]


def test_the_same_session_at_the_same_time_gives_the_same_pdf() -> None:
    made = [
        b"".join(pdf.pdf_file(story.sessions([records.record()], records.order()), Notes()))
        for _ in range(2)
    ]
    assert made[0] == made[1]


@pytest.mark.parametrize("module", [pdf, word])
def test_what_is_too_long_for_a_page_is_refused_with_the_way_out(
    module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 10)
    write = pdf.pdf_file if module is pdf else word.docx_file
    with pytest.raises(UsageError, match="export html"):
        b"".join(write(story.sessions([records.record(["a"] * 20)], records.order()), Notes()))


def test_a_word_file_opens_and_holds_what_was_said() -> None:
    notes = Notes()
    document = story.sessions([records.hostile()], records.order())
    found = docx.Document(io.BytesIO(b"".join(word.docx_file(document, notes))))
    words = "\n".join(p.text for p in found.paragraphs)
    assert "<script>alert(1)</script>" in words
    assert "#eval(read" in words
    assert [t.rows[0].cells[0].text for t in found.tables] == [
        *("at", "about", "name", "name", "code")  # events, annotations, stated, kept, warnings
    ]
    assert [w.code for w in notes.all()] == ["pictures-left-out"]


def facts(section: Section) -> dict[str, object]:
    return dict(next(block.rows for block in section.blocks if isinstance(block, Facts)))


def made(kind: str, given: Sequence[Record], *asked: str) -> list[Section]:
    order = records.order(scope="all_sessions")
    return list(reports.report(kind, reports.chosen(kind, asked), given, order).sections)


def analysed() -> Record:
    found: dict[str, Json] = {
        "quality": {"speech_seconds": 1.25, "silence_seconds": 0.75, "signal_to_noise_db": 30.0},
        "interruption_analysis": {"count": 3},
        "sentiment": {"label": "positive"},
        "keyword_analysis": {"keywords": [{"word": "parcel", "count": 2}]},
    }
    return replace(records.record(), analyses=lambda: found)


def test_a_summary_counts_sessions_turns_and_words() -> None:
    (section,) = made("session_summary", [records.record(), records.record()])
    assert facts(section) | {"Sessions": 2, "Turns": 4, "Words": 14} == facts(section)
    assert not any(isinstance(block, Picture) for block in section.blocks)


def test_a_summary_of_one_session_has_its_pictures() -> None:
    (section,) = made("session_summary", [records.record()])
    assert sum(isinstance(block, Picture) for block in section.blocks) == 3


def test_a_quality_report_says_what_was_heard_and_what_is_only_timed() -> None:
    quality, performance = made("quality_report", [analysed(), records.record()])
    table = next(b for b in quality.blocks if isinstance(b, Table))
    heard, timed = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert heard | {"speech s": 1.25, "by": "sound", "interruptions": 3} == heard
    assert timed | {"speech s": 2.0, "by": "times", "interruptions": None} == timed
    assert facts(performance)["Responses"] == 2


def test_a_transcript_report_holds_every_turn() -> None:
    head, session = made("transcript_report", [records.record(("One two", None))])
    assert facts(head) | {"Turns": 2, "Without text": 1, "Words": 2} == facts(head)
    (turns,) = session.blocks
    assert isinstance(turns, Turns)
    assert [row[3] for row in turns.rows] == ["One two", "[no text]"]


def test_an_analytics_report_adds_up_sentiment_and_keywords() -> None:
    sections = {s.title: s for s in made("analytics_report", [analysed(), analysed()])}
    assert rows(sections["Sentiment"]) == [("positive", 2)]
    assert rows(sections["Keywords"]) == [("parcel", 4)]
    assert rows(sections["Where from"]) == [("scenario", 2)]


def test_a_compliance_report_has_real_counts_and_says_what_it_cannot() -> None:
    stated = replace(records.record().session, source={"consent": [{"granted": True}]})
    other = replace(
        records.record(), privacy_level="audio_only", jurisdictions=(), parts=(), session=stated
    )
    head, terms, warned = made("compliance_report", [records.record(), other])
    counted = {"Sessions": 2, "Consent stated by the source": 1, "Consent unknown": 1}
    assert facts(head) | counted | {"With no file at all": 1} == facts(head)
    counts = [row for block in terms.blocks if isinstance(block, Table) for row in block.rows]
    assert {("audio_only", 1), ("full", 1), ("DE", 1), ("none named", 1), ("gdpr", 2)} <= set(
        counts
    )
    assert rows(warned) == [("missing-file", 2)]
    said = " ".join(getattr(b, "text", "") for b in head.blocks)
    assert "compliance report" in said


def test_a_performance_report_measures_over_all_sessions() -> None:
    (section,) = made("performance_report", [records.record(), records.record()])
    assert facts(section)["Median"] == "0.420 s"
    assert len(section.blocks) == 3


def test_a_performance_report_says_which_times_are_only_those_between_turns() -> None:
    session = records.record().session
    segments = session.timeline.segments
    later = replace(segments[1], start_ns=segments[0].end_ns + records.SECOND)
    (section,) = made(
        "performance_report", [records.record(), timed(segments=[segments[0], later], events=())]
    )
    table = next(b for b in section.blocks if isinstance(b, Table))
    found = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(f["responses"], f["median s"], f["by"]) for f in found] == [
        *((1, 0.42, "source"), (1, 1.0, "times"))
    ]
    assert facts(section) | {"Responses": 2, "Median": "0.710 s"} == facts(section)
    assert "estimates" in " ".join(getattr(b, "text", "") for b in section.blocks)


def test_a_custom_report_is_put_together_from_sections() -> None:
    sections = made("custom_report", [records.record()], "compliance", "summary")
    assert [s.title for s in sections if s.level == 1] == ["Compliance", "Summary"]


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("gossip", ()),
        ("custom_report", ()),
        ("custom_report", ("gossip",)),
        ("quality_report", ("summary",)),
    ],
)
def test_a_report_that_does_not_exist_is_refused(kind: str, asked: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        reports.chosen(kind, asked)


@pytest.mark.parametrize("format", list(reports.FORMATS))
@pytest.mark.parametrize("kind", [k for k in reports.TYPES if k != "custom_report"])
def test_every_report_of_hostile_text_is_written_in_every_format(kind: str, format: str) -> None:  # noqa: A002  the contract's word
    order = records.order(scope="all_sessions")
    given = [replace(records.hostile(), parts=(), warnings=()), records.record()]
    document = reports.report(kind, reports.chosen(kind, ()), given, order)
    whole = b"".join(reports.renderer(format)(document, order))
    assert len(whole) > 200
    if format in {"csv", "txt"}:
        assert not re.search(rb"(^|,|\n)\"?[=@]", whole)


def rows(section: Section) -> list[tuple[object, ...]]:
    return [tuple(row) for b in section.blocks if isinstance(b, Table) for row in b.rows]


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (1, ["0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1 s"]),
        (153, ["0:00", "0:30", "1:00", "1:30", "2:00", "2:30"]),
        (2 * 3600, ["0:00", "30:00", "1:00:00", "1:30:00", "2:00:00"]),
    ],
)
def test_the_axis_of_time_has_round_steps(seconds: int, labels: list[str]) -> None:
    turn = records.record().session.timeline.segments[0]
    root = drawn(pictures.timeline([turn], (), seconds * records.SECOND))
    words = [e.text for e in root.iter(f"{SVG}text") if e.get("text-anchor") == "middle"]
    assert words == labels


@pytest.mark.parametrize(
    ("median", "p95"), [(0.8, 0.9), (2.42, 2.49), (0.1, 3.0), (0.001, 0.002), (1.0, 1.0)]
)
def test_no_line_of_a_plot_runs_through_the_name_of_another(median: float, p95: float) -> None:
    points = [(0, median), (records.SECOND, p95)]
    root = drawn(pictures.latency(points, {"median": median, "p95": p95}))
    names = [e for g in root.iter(f"{SVG}g") for e in g.iter(f"{SVG}text")]
    heights = [float(e.get("y1", "")) for e in root.iter(f"{SVG}line")]
    assert sorted(str(e.text).split()[0] for e in names) == ["median", "p95"]
    assert {e.get("text-anchor") for e in names} == {"start", "end"}  # so never on each other
    for name in names:
        foot = float(name.get("y", ""))
        assert not any(foot - 9 < height < foot + 1 for height in heights)


def test_what_is_more_than_a_page_shows_is_said_to_be_left_out() -> None:
    one = records.record()
    timeline = replace(one.session.timeline, events=[*one.session.timeline.events] * 200)
    session = replace(one.session, timeline=timeline, source={str(n): n for n in range(600)})
    order = records.order()
    sections = {s.title: s for s in story.story(replace(one, session=session), order)}
    assert [len(rows(sections[title])) for title in ("Events", "Stated")] == [500, 500]
    left = [(w.code, w.text.split(";")[0], w.file) for w in order.notes.all()]
    assert left == [
        ("events-left-out", "100 more rows of events are left out", records.ID),
        ("stated-left-out", "101 more rows of stated are left out", records.ID),
    ]


def test_an_endless_word_breaks_and_others_do_not() -> None:
    rows = [("0", "user", "", "extraordinarily " + "a" * 40)]
    found = json.dumps(pdf._block(Turns(rows)), ensure_ascii=False)
    assert "extraordinarily " in found
    assert "\u200b".join(["a" * 8] * 5) in found


def test_a_table_in_a_word_file_is_as_wide_as_its_words_and_repeats_its_headings() -> None:
    document = story.sessions([records.record()], records.order())
    found = docx.Document(io.BytesIO(b"".join(word.docx_file(document, Notes()))))
    events, *_ = found.tables
    assert [c.text for c in events.rows[0].cells] == ["at", "event", "value"]
    assert [c.text for c in events.rows[2].cells][1:] == ["agent_start_speaking", "latency 0.42"]
    at, event, _ = (column.width.inches for column in events.columns)
    assert event / at == pytest.approx((20 + 5) / (12 + 5), abs=0.01)  # the words and the edges
    assert sum(c.width.inches for c in events.columns) == pytest.approx(6.7, abs=0.01)
    first, *others = (row._tr.xml for row in events.rows)
    assert "w:tblHeader" in first
    assert not any("w:tblHeader" in row for row in others)
    assert all("w:cantSplit" in row for row in (first, *others))


def test_an_empty_table_in_a_word_file_still_opens() -> None:
    table = Table("t", ("name", "count"), [])
    document = Document("T", "", records.AT, [Section("S", [table])])
    found = docx.Document(io.BytesIO(b"".join(word.docx_file(document, Notes()))))
    assert [c.text for c in found.tables[0].rows[0].cells] == ["name", "count"]


def test_a_long_cell_leaves_the_others_of_its_row_room() -> None:
    name, value = "Dr. Maximiliane of Birch Lane, " * 4, "6.4 s by audio, turns 3, " * 4
    table = Table("t", ("analysis", "figure", "value", "basis"), [("", name, value, "x")] * 20)
    document = Document("T", "", records.AT, [Section("S", [table])])
    whole = b"".join(pdf.pdf_file(document, Notes()))
    assert len(re.findall(rb"/Type ?/Page\b", whole)) == 2
