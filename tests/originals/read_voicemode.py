"""What voice-mode 9.0.1 makes of logs, as one JSON document by folder: `read_voicemode.py FOLDER…`.

Runs in `.venv/originals` and knows nothing of strongroom. A folder is one that VoiceMode keeps,
with `logs/conversations` in it.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import date
from pathlib import Path
from typing import Any

from voice_mode.exchanges import (  # type: ignore[import-not-found]  # is in .venv/originals alone
    ConversationGrouper,
    ExchangeFilter,
    ExchangeReader,
    ExchangeStats,
)


class Refused(logging.Handler):
    """The reader passes over a line that it cannot read, and says so in its log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def main() -> None:
    print(json.dumps({name: read(Path(name)) for name in sys.argv[1:]}))


def read(folder: Path) -> dict[str, Any]:
    """A log through the reader, the grouper, a filter and the statistics."""
    refused = Refused()
    logging.getLogger("voice_mode.exchanges.reader").addHandler(refused)
    reader = ExchangeReader(folder)
    rows = [row for each in reader.get_all_conversations().values() for row in each]
    logging.getLogger("voice_mode.exchanges.reader").removeHandler(refused)
    stats = ExchangeStats(rows)
    days = {date.fromisoformat(path.stem[-10:]) for path in reader.logs_dir.iterdir()}
    groups = ConversationGrouper().group_exchanges(list(rows))
    return {
        "refused": refused.lines,
        "rows": [row.to_dict() for row in rows],
        "conversations": {
            name: {"exchanges": one.exchange_count, "seconds": one.duration.total_seconds()}
            for name, one in groups.items()
        },
        "by_id": sum(len(reader.read_conversation(name)) for name in groups),
        "by_day": sum(len(list(reader.read_date(day))) for day in days),
        "with_audio": len(list(ExchangeFilter().has_audio().apply(iter(rows)))),
        "stats": {
            "by_provider": stats.provider_breakdown(),
            "by_model": stats.model_breakdown(),
            "by_voice": stats.voice_breakdown(),
            "by_transport": stats.transport_breakdown(),
            "hourly": stats.hourly_distribution(),
            "daily": stats.daily_distribution(),
            "turnaround": stats.timing_stats()["overall"],
            "conversations": stats.conversation_stats(),
            "errors": stats.error_stats(),
            "silence": stats.silence_detection_stats(),
        },
        "summary": stats.get_summary_report(),
    }


if __name__ == "__main__":
    main()
