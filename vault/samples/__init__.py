"""Six small sessions to try the archive on, made by the project itself (see README.md)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

#: The same call in the four families, each by the entry of `folder()` it is in.
ONE_CALL = ("pharmacy-refill", "voicemode", "voice-agents-platform", "promptkit")


def folder() -> Path:
    """The folder that holds the sample sessions: one call in four formats, and two others."""
    return Path(str(files(__name__) / "sessions"))
