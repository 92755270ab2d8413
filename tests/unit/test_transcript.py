"""A transcript made readable, and the stored one left alone."""

from __future__ import annotations

from copy import deepcopy
from functools import partial

import pytest

from tests import work
from vault.model import Json, Segment, Timeline
from vault.replay.transcript import Processing, process, put_right

S = 1_000_000_000


def said(
    index: int, role: str, start: float, end: float, text: str | None, **data: Json
) -> Segment:
    return Segment(
        index, role, None, round(start * S), round(end * S), None, text, False, None, data
    )


CALL = Timeline(
    (
        said(0, "user", 0, 1, "I bought a  wonder phone", confidence=0.9),
        said(1, "user", 3, 4, "and it broke.", confidence=0.7),
        said(2, "user", 6.1, 7, "mumble", confidence=0.69),
        said(3, "user", 6.2, 7, "Hello?", confidence=1),
        said(4, "agent", 8, 9, "I see"),
        said(5, "agent", 9, 9.5, "I see your", is_final=False),
        said(6, "agent", 9, 10, "your Wonder Phone."),
        said(7, "agent", 11, 12, "  "),
    )
)


def test_unsure_interim_and_empty_segments_are_left_out_with_the_reason() -> None:
    found = process(CALL)
    assert list(found.left_out) == [(2, "unsure"), (5, "interim"), (7, "empty")]
    assert "mumble" not in " ".join(p.text for p in found.passages)
    assert found.summary["left_out"] == {"empty": 1, "interim": 1, "unsure": 1}


def test_a_confidence_of_exactly_the_threshold_stays() -> None:
    assert [i for p in process(Timeline(CALL.segments[1:3])).passages for i in p.indices] == [1]
    everything = process(CALL, Processing(minimum_confidence=0))
    assert "mumble" in " ".join(p.text for p in everything.passages)


def test_lines_of_one_speaker_are_joined_up_to_two_seconds_apart() -> None:
    found = process(CALL)
    assert [p.indices for p in found.passages] == [(0, 1), (3,), (4, 6)]
    assert found.passages[0].text == "I bought a wonder phone and it broke."
    assert (found.passages[0].start_ns, found.passages[0].end_ns) == (0, 4 * S)
    assert found.passages[0].confidence == pytest.approx((0.9 * 5 + 0.7 * 3) / 8)


def on_and_on(count: int) -> Timeline:
    return Timeline(
        tuple(said(n, "user", n, n + 1, "on and on", confidence=0.9) for n in range(count))
    )


def test_a_speaker_who_never_stops_is_one_passage() -> None:
    (passage,) = process(on_and_on(1000)).passages
    assert passage.confidence == pytest.approx(0.9)
    assert passage.text == " ".join(["on and on"] * 1000)


def test_joining_is_work_that_grows_with_the_lines_and_not_with_their_square() -> None:
    assert work.growth(lambda count: partial(process, on_and_on(count)), 250, 2000) < 1.5


def test_another_speaker_between_keeps_them_apart() -> None:
    lines = (said(0, "user", 0, 1, "a"), said(1, "agent", 1, 2, "b"), said(2, "user", 2, 3, "c"))
    assert len(process(Timeline(lines)).passages) == 3


def test_the_vocabulary_puts_words_right() -> None:
    how = Processing(vocabulary={"wonder phone": "WunderPhone", "phone": "telephone"})
    texts = [p.text for p in process(CALL, how).passages]
    assert texts[0] == "I bought a WunderPhone and it broke."
    assert texts[2] == "I see your WunderPhone."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat", "dog"),
        ("Cat, CAT!", "dog, dog!"),
        ("concat cats cat's", "concat cats dog's"),
        ("a+b", "sum"),
        (r"\1 .*", r"\1 .*"),
    ],
)
def test_only_whole_words_are_replaced(text: str, expected: str) -> None:
    assert put_right(text, {"cat": "dog", "a+b": "sum", "dog": "cow", "": "x"}) == expected


def test_what_is_put_in_is_taken_as_it_is() -> None:
    assert put_right("say it", {"it": r"\g<0>\n"}) == r"say \g<0>\n"


def test_speakers_get_their_names() -> None:
    found = process(CALL, Processing(speakers={"agent": "Ada"}))
    assert [p.speaker for p in found.passages] == ["user", "user", "Ada"]
    assert found.summary["words_by_speaker"] == {"user": 9, "Ada": 5}


def test_the_summary_counts_terms_and_keywords() -> None:
    summary = process(CALL, Processing(terms=("wonder phone", "refund"))).summary
    assert summary["terms"] == {"wonder phone": 2, "refund": 0}
    assert isinstance(summary["keywords"], list)
    assert summary["keywords"][:2] == ["wonder", "phone"]
    assert (summary["segments"], summary["passages"], summary["words"]) == (8, 3, 14)
    assert summary["duration_seconds"] == 10.0


def test_listeners_hear_of_everything_in_order() -> None:
    heard: list[tuple[str, Json]] = []
    process(CALL, listener=lambda what, value: heard.append((what, value)))
    names = [what for what, _ in heard]
    assert [v for w, v in heard if w == "speaker-identified"] == ["user", "agent"]
    assert [v for w, v in heard if w == "segment-processed"] == [0, 1, 3, 4, 6]
    assert "keyword-extracted" in names
    assert names[-1] == "session-summary"


def test_the_stored_timeline_is_never_changed() -> None:
    before = deepcopy(CALL)
    told = process(CALL, Processing(vocabulary={"phone": "x"})).timeline(CALL)
    assert before == CALL
    assert [s.text for s in told.segments] == [
        "I bought a wonder x and it broke.",
        "Hello?",
        "I see your Wonder x.",
    ]
    assert told.segments[0].data["segments"] == [0, 1]


def test_nothing_said_is_a_transcript_of_nothing() -> None:
    found = process(Timeline())
    assert (list(found.passages), found.summary["words"]) == ([], 0)
