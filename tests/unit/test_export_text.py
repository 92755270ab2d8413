"""What leaves as text: escaped for where it goes, complete, and honest about what it leaves out."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import PurePosixPath

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils import get_column_letter

from tests import records
from vault.errors import UsageError
from vault.export import (
    bundle,
    captions,
    escape,
    remarks,
    sheets,
    story,
    structured,
    tables,
    times,
    webpage,
)
from vault.export.record import Order, Record, document
from vault.export.sheets import Sheet
from vault.model import Annotation, Json

FORMULA = tuple("=+-@\t\r\n")


def text(blocks: Iterator[bytes]) -> str:
    return b"".join(blocks).decode()


@pytest.mark.parametrize("hostile", records.HOSTILE)
def test_no_cell_of_a_spreadsheet_begins_as_a_formula(hostile: str) -> None:
    assert not escape.cell(hostile).startswith(FORMULA)
    assert not escape.cell("  " + hostile).lstrip(" ").startswith(FORMULA)


@given(st.text())
def test_whatever_the_text_xml_with_it_parses_and_says_it(given: str) -> None:
    found = records.parsed(f'<a b="{escape.xml(given)}">{escape.xml(given)}</a>')
    assert found.get("b") is not None
    assert (found.text or "") == escape.legal(given)


@given(st.text())
def test_a_caption_never_has_an_empty_line_or_an_arrow(given: str) -> None:
    for made in (escape.cue(given), escape.vtt(given)):
        assert "-->" not in made
        assert "" not in made.split("\n") or not made


@given(st.text())
def test_a_file_name_is_one_component_that_every_system_takes(given: str) -> None:
    name = escape.file_name(given)
    assert PurePosixPath(name).parts == (name,)
    assert name not in {"", ".", ".."}
    assert not name.startswith(".")
    assert len(name.encode()) <= 120
    assert not set(name) & set('/\\:*?"<>|\x00')


def test_devices_and_long_names_are_renamed_and_the_suffix_stays() -> None:
    assert escape.file_name("CON.wav") == "_CON.wav"
    assert escape.file_name("../../etc/passwd") == "_.._etc_passwd"
    assert escape.file_name("a" * 500 + ".flac").endswith("a.flac")


def test_json_holds_everything_of_a_session_and_the_warnings_come_last() -> None:
    order = records.order()
    order.notes.add("told", "Something was left out.")
    found = json.loads(text(structured.json_file([records.record(), records.record()], order)))
    assert found["sessions"] == [document(records.record())] * 2
    assert found["export"]["strongroom_export"] == 1
    assert found["warnings"] == [{"code": "told", "text": "Something was left out."}]
    assert found["sessions"][0]["segments"][1]["text"] == "On its way"
    assert found["sessions"][0]["annotations"][0]["value"] == "calm"


def test_hostile_text_survives_json_and_jsonl_unchanged() -> None:
    lines = text(structured.jsonl_file([records.hostile()] * 2, records.order())).splitlines()
    assert len(lines) == 2
    found = json.loads(lines[0])
    assert [s["text"] for s in found["segments"]] == list(records.HOSTILE)


def test_xml_of_hostile_text_parses_and_holds_it() -> None:
    whole = text(structured.xml_file([records.hostile(), records.record()], records.order()))
    assert "<!ENTITY" not in whole
    root = records.parsed(whole)
    assert [child.tag for child in root] == ["session", "session", "warnings"]
    said = [e.text or "" for e in root.findall("session[1]/segments/item/text")]
    assert said == [escape.legal(one) for one in records.HOSTILE]
    keys = {e.get("name") for e in root.findall("session[1]/source/field")}
    assert keys >= {escape.legal(one) for one in records.HOSTILE}


def test_csv_has_a_row_for_each_turn_and_no_formula() -> None:
    silent = replace(records.record(()), id="silent")
    order = records.order()
    whole = text(tables.csv_file([records.hostile(), silent], order))
    assert whole.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(whole[1:], newline="")))
    assert len(rows) == len(records.HOSTILE) + 1
    assert rows[-1]["session"] == "silent"
    assert [c for row in rows for c in row.values() if c.startswith(FORMULA)] == []
    assert rows[4]["start_seconds"] == "4.0"
    assert [w.code for w in order.notes.all()] == ["csv-holds-turns"]


def test_a_workbook_opens_with_all_its_sheets_and_no_formula() -> None:
    given = [records.hostile(), records.record()]
    whole = b"".join(tables.xlsx_file(given, records.order()))
    book = openpyxl.load_workbook(io.BytesIO(whole))
    assert book.sheetnames == [
        *("sessions", "turns", "events", "analyses", "annotations", "stated", "parts", "warnings")
    ]
    turns = list(book["turns"].iter_rows(values_only=True))
    assert len(turns) == 1 + len(records.HOSTILE) + 2
    assert turns[0][:3] == ("session", "index", "role")
    assert turns[-1][7] == "On its way"
    assert turns[-1][4] == 1.0
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert [c for c in cells if c.data_type == "f"] == []
    assert [c for c in cells if str(c.value or "").startswith(FORMULA)] == []
    assert book["sessions"]["A2"].value == records.ID


def test_a_workbook_has_what_was_said_of_a_session() -> None:
    whole = b"".join(tables.xlsx_file([remarked()], records.order()))
    book = openpyxl.load_workbook(io.BytesIO(whole))

    def rows(sheet: str) -> list[tuple[object, ...]]:
        return list(book[sheet].iter_rows(min_row=2, values_only=True))

    assert rows("annotations") == [
        (records.ID, "session", "label", "mood", "calm", 1, None),
        (records.ID, "turn 1", "comment", "note", '{"text": "late"}', 2, '{"by": "qa"}'),
    ]
    assert rows("stated") == [
        (records.ID, "score", 0.5),
        (records.ID, "custom.campaign", "spring"),
    ]
    assert rows("parts") == [(records.ID, "full.wav", "audio/wav", 3, "ab" * 32)]
    assert "Ann (user), Ada (agent)" in rows("sessions")[0]


def remarked() -> Record:
    """A session with two annotations and what its source states of it."""
    session = records.record().session
    late: dict[str, Json] = {"text": "late"}
    turn: dict[str, Json] = {"turn_index": 1}
    by: dict[str, Json] = {"by": "qa"}
    second = Annotation("a2", "comment", "note", late, 2, None, "turn", turn, data=by)
    annotations = [*session.timeline.annotations, second]
    timeline = replace(session.timeline, annotations=annotations)
    session = replace(session, timeline=timeline, source={"custom": {"campaign": "spring"}})
    return replace(records.record(), session=session)


def test_a_text_ends_with_the_annotations_each_on_its_line() -> None:
    lines = text(captions.txt_file([remarked()], records.order())).splitlines()
    assert lines[-4:] == [
        *("", "Annotations"),
        *("[session] label mood: calm", "[turn 1] comment note: text late"),
    ]
    whole = text(captions.txt_file([records.hostile()], records.order()))
    hostile = whole.split("\nAnnotations\n")[-1].splitlines()
    assert len(hostile) == len(records.HOSTILE)
    assert all(one.startswith("[session ") for one in hostile)


def test_a_page_has_what_was_said_of_a_session() -> None:
    whole = text(webpage.html_file(story.sessions([remarked()], records.order())))
    said = re.sub(r"<[^>]+>", " ", whole[whole.index(">Annotations<") : whole.index(">Kept<")])
    words = " ".join(said.split())
    assert "session label mood calm turn 1 comment note text late" in words
    assert "score 0.5 custom.campaign spring" in words


def test_a_long_annotation_is_on_the_page_in_full() -> None:
    session = records.record().session
    long = Annotation("a", "comment", "note", {"text": "b" * 5000})
    timeline = replace(session.timeline, annotations=[long])
    record = replace(records.record(), session=replace(session, timeline=timeline))
    assert "b" * 5000 in text(webpage.html_file(story.sessions([record], records.order())))


def test_where_in_time_an_annotation_holds_is_told_as_times() -> None:
    where: dict[str, Json] = {"start_ns": 2 * records.SECOND, "end_ns": 5 * records.SECOND}
    one = Annotation("a", "comment", "note", "x", target="time_range", where=where)
    assert remarks.about(one) == "00:00:02.000 to 00:00:05.000"


def test_every_cell_says_its_place() -> None:
    row = [*range(60), None, "last"]
    whole = b"".join(sheets.workbook([Sheet("wide", [str(n) for n in range(62)], [row])]))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        root = records.parsed(archive.read("xl/worksheets/sheet1.xml"))
    namespace = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    places = [e.get("r") for e in root.iter(f"{namespace}c")]
    assert places[62:] == [f"{get_column_letter(n)}2" for n in [*range(1, 61), 62]]
    (sheet,) = openpyxl.load_workbook(io.BytesIO(whole)).worksheets
    assert [c.value for c in sheet[2]] == row


def test_a_text_too_long_for_a_cell_is_cut_and_said_to_be() -> None:
    order = records.order()
    b"".join(tables.xlsx_file([records.record(("a" * 40_000,))], order))
    assert [w.code for w in order.notes.all()] == ["cell-cut"]


def test_more_rows_than_a_sheet_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "SHEET_ROWS", 3)
    with pytest.raises(UsageError, match="csv or jsonl"):
        b"".join(sheets.workbook([Sheet("a", ["b"], [[1], [2], [3]])]))


def test_sheet_names_are_what_excel_takes() -> None:
    names = ["[a]/b:*?", "A" * 60, "a" * 60, ""]
    whole = b"".join(sheets.workbook([Sheet(name, ["x"], [[1]]) for name in names]))
    found = openpyxl.load_workbook(io.BytesIO(whole)).sheetnames
    assert len({name.casefold() for name in found}) == 4
    assert all(len(name) <= 31 and not set(name) & set("[]:*?/\\") for name in found)


def test_srt_times_are_relative_and_nothing_in_a_text_makes_a_cue() -> None:
    order = records.order()
    whole = text(captions.srt_file(records.record(("Hello", None, *records.HOSTILE)), order))
    times = re.findall(r"^(\S+) --> (\S+)$", whole, re.MULTILINE)
    assert len(times) == 1 + len(records.HOSTILE)
    assert times[0] == ("00:00:00,000", "00:00:01,000")
    assert whole.startswith("1\n00:00:00,000 --> 00:00:01,000\nuser: Hello\n\n2\n00:00:02,000")
    assert len(re.split(r"\n\n", whole.strip())) == len(times)
    assert [w.code for w in order.notes.all()] == ["wordless-turns"]


def test_vtt_names_the_voice_and_escapes_the_text() -> None:
    whole = text(captions.vtt_file(records.hostile(), records.order()))
    assert whole.startswith(f"WEBVTT\n\nNOTE {records.ID}\n\n00:00:00.000 --> 00:00:01.000\n<v ")
    assert whole.count("-->") == len(records.HOSTILE)
    assert whole.count("<") == whole.count("<v ") == len(records.HOSTILE)
    assert "<v &lt;v Mallory&gt;" in whole


def test_a_turn_that_was_cut_off_is_marked_in_every_text() -> None:
    one = records.record()
    user, agent = one.session.timeline.segments
    timeline = replace(one.session.timeline, segments=[user, replace(agent, truncated=True)])
    record = replace(one, session=replace(one.session, timeline=timeline))
    order = records.order()
    for made in (
        text(captions.txt_file([record], order)),
        text(captions.srt_file(record, order)),
        text(captions.vtt_file(record, order)),
        text(webpage.html_file(story.sessions([record], order))),
    ):
        assert "On its way […]" in made
        assert "Where is my parcel […]" not in made


@pytest.mark.parametrize("write", [captions.srt_file, captions.vtt_file])
def test_where_nothing_is_known_of_what_was_said_captions_say_so(
    write: Callable[[Record, Order], Iterator[bytes]],
) -> None:
    order = records.order()
    assert text(write(records.record(()), order)).count("-->") == 0
    assert [w.code for w in order.notes.all()] == ["no-turns"]


def test_a_caption_without_a_length_is_as_long_as_its_sound() -> None:
    turn = replace(records.record().session.timeline.segments[0], end_ns=6_000_000)
    assert captions.span(replace(turn, decoded_ns=2_800_000_000)) == (0, 2_800_000_000)
    assert captions.span(replace(turn, end_ns=0)) == (0, 1_000_000_000)


def test_hours_do_not_wrap() -> None:
    assert times.clock(100 * 3600 * records.SECOND + 1_999_999, ",") == "100:00:00,001"


class Page(HTMLParser):
    """What a browser would find: tags, attributes and the words between."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_a_page_of_hostile_text_has_no_script_no_image_and_no_address() -> None:
    order = records.order(scope="all_sessions")
    whole = text(webpage.html_file(story.sessions([records.hostile(), records.record()], order)))
    page = Page()
    page.feed(whole)
    assert not {"script", "img", "link", "iframe", "a", "object"} & set(page.tags)
    names = {name for name, _ in page.attributes}
    assert not {n for n in names if n.startswith("on")} | (names & {"href", "src", "style"})
    assert "alert(1)" in "".join(page.words)
    assert "\x00" not in whole
    policy = next(v for n, v in page.attributes if n == "content" and v and "default-src" in v)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert page.tags.count("svg") == 6


def test_a_page_of_one_session_has_its_name() -> None:
    whole = text(webpage.html_file(story.sessions([records.record()], records.order())))
    assert "<title>A parcel</title>" in whole


def test_a_bundle_lists_every_file_with_its_digest_and_names_lead_nowhere() -> None:
    import hashlib

    order = records.order(originals=True, scope="multiple_sessions")
    hostile = replace(records.hostile(), id="other", parts=())
    whole = b"".join(bundle.zip_file([records.record(), hostile], order))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        manifest = json.loads(archive.read("manifest.json"))
        listed = {f["name"]: f for f in manifest["files"]}
        assert set(names) == {*listed, "manifest.json"}
        for name, entry in listed.items():
            content = archive.read(name)
            assert entry["sha256"] == hashlib.sha256(content).hexdigest()
            assert entry["bytes"] == len(content)
    assert manifest["records"] == 2
    assert len(names) == len({name.casefold() for name in names})
    assert [n for n in names if ".." in PurePosixPath(n).parts or n.startswith("/")] == []
    came = f"sessions/{records.ID}/originals/segments/00.txt"
    assert listed[came]["original"] == "segments/00.txt"
    assert {f"sessions/{records.ID}/{n}" for n in ("session.json", "transcript.vtt")} <= set(names)


def test_a_bundle_without_originals_says_so() -> None:
    order = records.order()
    with zipfile.ZipFile(io.BytesIO(b"".join(bundle.zip_file([records.record()], order)))) as found:
        codes = [w["code"] for w in json.loads(found.read("manifest.json"))["warnings"]]
        assert not [n for n in found.namelist() if "originals" in n]
    assert codes == ["originals-left-out"]


@pytest.mark.parametrize("separator", [";", "\t", "\n", '; "'])
def test_no_cell_is_a_formula_where_another_separator_is_in_use(separator: str) -> None:
    hostile = f"hello{separator}=HYPERLINK(1){separator}@SUM(1)"
    written = escape.csv_cell(hostile)
    assert f"{separator}'=HYPERLINK(1){separator}'@SUM(1)" in written
    assert escape.csv_cell("Well - yes; and so on, -5 or ;)") == "Well - yes; and so on, -5 or ;)"
