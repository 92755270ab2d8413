"""The seven analyses, on timelines whose answers can be counted by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from tests import work
from vault.errors import UsageError
from vault.media.measure import Measured
from vault.model import Event, Json, Segment, Timeline
from vault.replay.analysis import KINDS, Heard, Options, analyse, sentiment
from vault.replay.analysis.words import STOP_WORDS, language

S = 1_000_000_000


def said(
    index: int,
    role: str,
    start: float,
    end: float,
    text: str | None = None,
    *,
    decoded: float | None = None,
    file: str | None = None,
    **data: Json,
) -> Segment:
    length = None if decoded is None else round(decoded * S)
    return Segment(
        index, role, None, round(start * S), round(end * S), length, text, False, file, data
    )


def event(seq: int, kind: str, at: float, **data: Json) -> Event:
    return Event(seq, kind, round(at * S), data)


def sound(seconds: float, *speech: tuple[float, float]) -> Measured:
    spans = tuple((round(a * S), round(b * S)) for a, b in speech)
    return Measured(8000, 1, round(seconds * 8000), -20.0, -3.0, 0, -60.0, -50.0, -19.0, 9.0, spans)


CALL = Timeline(
    (
        said(0, "user", 1, 3, "Hello, my order number is wrong. Can you help me with the order?"),
        said(1, "agent", 4, 8, "I am sorry to hear that! What is the number of the order?"),
        said(2, "user", 7, 9, "It is four two."),
        said(3, "user", 9.2, 10, "Thank you, great service!"),
        said(4, "agent", 13, 14, "You're welcome."),
        said(5, "system", 14, 15, "order order order"),
    ),
    (
        event(0, "agent_start_speaking", 4, latency=1.0),
        event(1, "tool_call", 5, name="find"),
        event(2, "tool_call", 5.5, name="price"),
        event(3, "tool_result", 6, name="price"),
        event(4, "user_interrupt", 7.1),
        event(5, "tool_result", 7.5, name="find", result={"error": "none"}),
        event(6, "agent_stop_speaking", 8),
        event(7, "agent_start_speaking", 13, latency=-5),
        event(8, "user_interrupt", 13.9),
    ),
)


def found(kind: str, timeline: Timeline = CALL, heard: Sequence[Heard] = ()) -> dict[str, Any]:
    document: dict[str, Any] = analyse(
        timeline, 15 * S, heard, [kind], options=Options(vocabulary=["order number"])
    )
    result: dict[str, Any] = document[kind]
    return result


def test_each_of_the_seven_says_of_every_field_what_it_stands_on() -> None:
    document = analyse(CALL, 15 * S, [Heard("a.wav", 0, sound(2, (0, 1)))])
    assert document.keys() == {"version", *KINDS}
    assert len(KINDS) == 7
    for kind in KINDS:
        result = document[kind]
        assert isinstance(result, dict)
        if not result["available"]:
            assert result["because"]
            continue
        fields = result.keys() - {"available", "measured", "estimated"}
        measured, estimated = result["measured"], result["estimated"]
        assert isinstance(measured, list)
        assert isinstance(estimated, dict)
        assert {*map(str, measured), *estimated} == fields, kind
        assert not estimated.keys() & {*map(str, measured)}
        assert all(estimated.values())
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_an_analysis_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="mood"):
        analyse(CALL, None, kinds=["mood"])


def test_nothing_at_all_can_be_analysed() -> None:
    for duration_ns in (None, 0, S):
        json.dumps(analyse(Timeline(), duration_ns), allow_nan=False)


# --- quality -------------------------------------------------------------------------------


def test_quality_adds_up_what_was_heard() -> None:
    heard = [Heard("a.wav", 0, sound(2, (0, 1))), Heard("b.wav", S, sound(4, (1, 2), (3, 4)))]
    result = found("quality", heard=heard)
    assert (result["audio_seconds"], result["speech_seconds"]) == (6.0, 3.0)
    assert result["silence_seconds"] == 3.0
    assert result["level_dbfs"] == -20.0
    assert result["signal_to_noise_db"] == 41.0
    names = [entry["name"] for entry in result["recordings"]]
    assert names == ["a.wav", "b.wav"]


def test_quality_without_sound_knows_no_levels() -> None:
    result = found("quality")
    for field in ("audio_seconds", "speech_seconds", "silence_seconds", "level_dbfs"):
        assert result[field] is None
    assert result["textless_segments"] == 0


def test_confidence_is_what_the_source_states() -> None:
    timeline = Timeline(
        (
            said(0, "user", 0, 1, "a", confidence=0.5),
            said(1, "user", 1, 2, "b", confidence=0.9),
            said(2, "user", 2, 3, "c", confidence=True),
            said(3, "user", 3, 4, "d", confidence=70),
        )
    )
    result = found("quality", timeline)
    assert result["confidence_mean"] == pytest.approx(0.7)
    assert result["low_confidence_segments"] == 1


# --- flow ----------------------------------------------------------------------------------


def test_turns_switches_and_responses() -> None:
    result = found("conversation_flow")
    assert (result["turns"], result["speaker_switches"]) == (4, 3)
    assert (result["first_speaker"], result["last_speaker"]) == ("user", "agent")
    response = result["response"]
    to_agent, to_user = response["user_to_agent"], response["agent_to_user"]
    assert (to_agent["count"], to_agent["avg_seconds"], to_agent["max_seconds"]) == (2, 2.0, 3.0)
    assert (to_user["count"], to_user["avg_seconds"], to_user["overlapping"]) == (0, None, 1)


def test_pauses_are_half_a_second_or_more_of_nobody() -> None:
    pauses = found("conversation_flow")["pauses"]
    assert (pauses["count"], pauses["total_seconds"]) == (2, 4.0)
    assert pauses["longest"] == [
        {"at_seconds": 3.0, "seconds": 1.0},
        {"at_seconds": 10.0, "seconds": 3.0},
    ]


def test_talk_ratio_prefers_what_was_heard_to_what_was_transported() -> None:
    timeline = Timeline(
        (
            said(0, "user", 0, 0.001, "x", decoded=4, file="a.wav"),
            said(1, "agent", 1, 1.001, "y", decoded=6, file="b.wav"),
            said(2, "agent", 9, 10, "z"),
        )
    )
    ratio = found("conversation_flow", timeline)["talk_ratio"]
    assert ratio == {"user": pytest.approx(4 / 11), "agent": pytest.approx(7 / 11)}
    heard = [Heard("a.wav", 0, sound(4, (0, 3)))]
    ratio = found("conversation_flow", timeline, heard)["talk_ratio"]
    assert ratio == {"user": pytest.approx(3 / 10), "agent": pytest.approx(7 / 10)}


# --- speakers ------------------------------------------------------------------------------


def test_speakers_are_counted_each() -> None:
    result = found("speaker_analytics")
    assert result["count"] == 2
    speakers = result["speakers"]
    user, agent = speakers
    assert (user["speaker"], user["turns"], user["segments"], user["words"]) == ("user", 2, 3, 21)
    assert user["speaking_seconds"] == pytest.approx(4.8)
    assert user["words_per_minute"] == pytest.approx(21 / 4.8 * 60)
    assert user["speaking_basis"] == "transport"
    assert (user["questions"], agent["questions"]) == (1, 1)
    assert user["interruptions"] == 2


def test_a_pace_nobody_can_speak_at_is_not_given() -> None:
    timeline = Timeline((said(0, "user", 0, 0.001, "ten words " * 5),))
    speakers = found("speaker_analytics", timeline)["speakers"]
    assert speakers[0]["words_per_minute"] is None


# --- performance ---------------------------------------------------------------------------


def test_tools_are_matched_by_name_and_no_latency_is_negative() -> None:
    result = found("performance")
    tools, latency = result["tools"], result["latency"]
    assert (tools["calls"], tools["answered"], tools["failed"]) == (2, 2, 1)
    assert tools["by_name"] == {"find": 1, "price": 1}
    times = tools["time"]
    assert (times["max_seconds"], times["avg_seconds"]) == (2.5, 1.5)
    assert (latency["count"], latency["avg_seconds"]) == (1, 1.0)


def test_tools_with_ids_are_matched_by_those() -> None:
    events = (
        event(0, "tool.call.started", 0, call_id="a", tool_name="t"),
        event(1, "tool.call.started", 1, call_id="b", tool_name="t"),
        event(2, "tool.call.completed", 2, call_id="b", tool_name="t"),
        event(3, "tool.call.failed", 9, call_id="a", tool_name="t"),
        event(4, "tool_result", 10),
    )
    tools = found("performance", Timeline((), events))["tools"]
    assert (tools["time"]["max_seconds"], tools["time"]["count"]) == (9.0, 2)
    assert tools["failed"] == 1


def test_stage_timings_are_taken_where_they_are_times() -> None:
    segments = (
        said(0, "agent", 0, 1, generation_time=0.5, playback_time="soon"),
        said(1, "agent", 1, 2, generation_time=-1, playback_time=float("nan")),
        said(2, "agent", 2, 3, generation_time=1.5),
    )
    stages = found("performance", Timeline(segments))["stages"]
    assert stages.keys() == {"generation_time"}
    assert stages["generation_time"]["avg_seconds"] == 1.0


# --- interruptions -------------------------------------------------------------------------


def test_an_event_and_the_overlap_beside_it_are_one_interruption() -> None:
    result = found("interruption_analysis")
    assert (result["count"], result["stated_count"]) == (2, 2)
    first, second = result["interruptions"]
    assert (first["evidence"], first["overlap_seconds"]) == ("both", 1.0)
    assert first["yield_seconds"] == 1.0
    assert (second["evidence"], second["yield_seconds"]) == ("event", None)


def test_there_are_never_fewer_interruptions_than_are_stated() -> None:
    events = tuple(event(i, "user_interrupt", 7 + i / 10) for i in range(7))
    result = found("interruption_analysis", Timeline(CALL.segments, events))
    assert result["count"] == result["stated_count"] == 7


def test_overlaps_nobody_states_are_found_whoever_makes_them() -> None:
    segments = (
        said(0, "agent", 0, 10),
        said(1, "user", 2, 3),
        said(2, "user", 5, 5.1),
        said(3, "user", 8, 12),
        said(4, "agent", 11, 13),
        said(5, "agent", 20, 21),
        said(6, "user", 20, 21),
    )
    result = found("interruption_analysis", Timeline(segments))
    entries = result["interruptions"]
    assert [(e["at_seconds"], e["by"]) for e in entries] == [
        (2.0, "user"),
        (8.0, "user"),
        (11.0, "agent"),
    ]


# --- keywords and language -----------------------------------------------------------------


def test_keywords_are_what_returns_and_not_grammar() -> None:
    result = found("keyword_analysis")
    entries = result["keywords"]
    words = {e["word"]: e["count"] for e in entries}
    assert list(words)[:2] == ["order", "number"]
    assert (words["order"], words["number"]) == (3, 2)
    assert not words.keys() & STOP_WORDS["en"]
    assert result["language"] == "en"
    assert result["vocabulary"] == {"order number": 1}


def test_keywords_are_the_same_every_time() -> None:
    assert found("keyword_analysis") == found("keyword_analysis")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("I would like to know when my parcel will be here", "en"),
        ("Ich möchte wissen, wann das Paket bei mir ist und wo es war", "de"),
        ("Je voudrais savoir où est mon colis et quand il est dans le camion", "fr"),
        ("Quiero saber dónde está mi paquete y por qué no lo tengo", "es"),
        ("Vorrei sapere dove è il mio pacco e perché non lo ho più", "it"),
        ("Eu não sei onde está a minha encomenda, mas você tem o número", "pt"),
        ("Ik wil weten waar het pakket is en wanneer het naar mij komt", "nl"),
        ("荷物はどこですか", None),
        ("parcel", None),
    ],
)
def test_a_language_is_told_by_its_grammar_or_not_at_all(text: str, code: str | None) -> None:
    assert language(None, [], [text]).code == code


def test_a_stated_language_is_believed() -> None:
    assert language(None, ["de-AT", "de", "en", 7], ["I am here with you"]).code == "de"
    assert language("fr", ["de"], []).code == "fr"


# --- sentiment -----------------------------------------------------------------------------


def test_sentiment_scores_english_where_the_lexicon_is() -> None:
    assert sentiment.scorer() is not None  # the lock of the tests has the extra
    lines = ("This is terrible, I hate it.", "Thank you, great service!", "It is four two.")
    segments = tuple(said(i, "user", i, i + 1, text) for i, text in enumerate(lines))
    result = found("sentiment", Timeline(segments))
    labels = [entry["label"] for entry in result["timeline"]]
    assert labels == ["negative", "positive", "neutral"]
    assert result["distribution"] == {"negative": 1, "neutral": 1, "positive": 1}
    assert -1 < result["score"] < 0


def test_a_long_text_is_scored_in_pieces_for_the_lexicon_takes_the_square_of_their_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    score = sentiment.scorer()
    assert score is not None  # the lock of the tests has the extra
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer as Analyzer

    lengths: list[int] = []
    real = Analyzer.polarity_scores

    def counting(self: object, text: str) -> object:
        lengths.append(len(text.split()))
        return real(self, text)

    monkeypatch.setattr(Analyzer, "polarity_scores", counting)
    kind, bad = "it was a good ", "it was a terrible "
    long = score(kind * 7500 + bad * 2500)
    assert (sum(lengths), max(lengths)) == (40_000, sentiment.WORDS_AT_ONCE)
    assert long == pytest.approx(0.75 * score(kind * 50) + 0.25 * score(bad * 50), abs=1e-4)


def test_sentiment_says_what_it_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    german = Timeline((said(0, "user", 0, 1, "Das ist nicht gut", language="de"),))
    assert "de" in str(found("sentiment", german)["because"])
    assert found("sentiment", Timeline())["available"] is False
    monkeypatch.setattr(sentiment, "scorer", lambda: None)
    result = found("sentiment")
    assert result["available"] is False
    assert "strongroom[sentiment]" in str(result["because"])
    assert "score" not in result


# --- size ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "sentiment"])
def test_work_grows_with_the_timeline_and_not_with_its_square(kind: str) -> None:
    def analysing(count: int) -> Callable[[], object]:
        segments = tuple(
            Segment(i, "user", f"s{i}", i, count * 9, None, f"w{i}", False, None)
            for i in range(count)
        )
        kinds = ("tool_call", "user_interrupt")
        events = tuple(Event(i, kinds[i % 2], i, {}) for i in range(count))
        answers = tuple(Event(i, "tool_result", count, {}) for i in range(count))
        timeline = Timeline(segments, (*events, *answers))
        return partial(analyse, timeline, count * 9, kinds=[kind])

    assert work.growth(analysing, 250, 2000) < 1.5
