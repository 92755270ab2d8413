"""The only reader of the environment: every `STRONGROOM_` variable, its meaning, its default."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from policies.model import CLASSES
from vault.errors import BackendError, NotFound, UsageError
from vault.model import PrivacyLevel

HOME_FILE = "home.json"


class Settings(BaseSettings):
    """Where an archive lives and what it stands on. An empty variable is none."""

    model_config = SettingsConfigDict(
        env_prefix="STRONGROOM_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    home: Path = Field(default=Path("~/.strongroom"), description="The archive's own folder.")
    store_url: str = Field(default="file://objects", description="file://, s3:// or minio://.")
    kms_url: str = Field(
        default="keyring://", description="keyring://, transit://, aws-kms://, pkcs11://."
    )
    catalogue_url: str = Field(default="sqlite://", description="sqlite:// or postgresql://.")
    broker_url: str | None = Field(
        None, description="redis://, for workers; jobs run here without."
    )
    redeliver_seconds: int = Field(
        default=300, ge=1, description="The broker is told again of a job that nobody took."
    )
    passphrase_file: Path | None = Field(default=None, description="Opens the keyring file.")
    passphrase: str | None = Field(
        default=None, description="The same, less well kept.", repr=False
    )
    default_class: str = Field(
        default="long", description="The retention class of a deposit naming none."
    )
    consent: Literal["optional", "required"] = Field(
        default="optional", description="`required` refuses deposits without consent."
    )
    recording_privacy_level: PrivacyLevel = Field(
        default=PrivacyLevel.FULL, description="What live capture keeps at all."
    )
    recording_max_seconds: float = Field(default=3600, description="The longest live capture.")
    recording_compression: bool = Field(default=False, description="Capture to FLAC, not WAV.")
    recording_sample_rate: int = Field(default=16_000, description="Of captured sound, in Hz.")
    recording_channels: int = Field(default=1, description="Of captured sound.")
    test_now: str | None = Field(default=None, description="The time, in a home with a test clock.")

    @field_validator("default_class")
    @classmethod
    def _is_a_class(cls, name: str) -> str:
        """By its look: the classes of the packs in force are known in the archive alone."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
            raise ValueError
        return name

    @property
    def folder(self) -> Path:
        """The home, absolute."""
        return self.home.expanduser().absolute()


def load(home: Path | None = None) -> Settings:
    """The settings: given arguments first, then the environment, then what the home recorded.

    Raises `UsageError` for a value that cannot be, `BackendError` for an unreadable home.
    """
    try:
        given: dict[str, Any] = {} if home is None else {"home": home}
        settings = Settings(**given)
        recorded = _recorded(settings.folder)
        chosen = {k: v for k, v in recorded.items() if k not in settings.model_fields_set}
        return settings.model_copy(update=chosen) if chosen else settings
    except ValidationError as error:
        raise UsageError("; ".join(map(_wrong, error.errors())) + ".") from error


def _wrong(error: Mapping[str, Any]) -> str:
    """Which setting cannot be, and what it may be where that is a short list."""
    name = str(error["loc"][0])
    expected = error.get("ctx", {}).get("expected")
    if name == "default_class":
        expected = f"{', '.join(CLASSES)}, or a class of a policy"
    about = f"is one of: {expected}" if expected else "cannot be read"
    return f"STRONGROOM_{name.upper()} {about}"


def _recorded(folder: Path) -> dict[str, str]:
    recorded = read_home(folder, missing_ok=True).get("settings", {})
    if not isinstance(recorded, dict):
        raise BackendError(f"{folder / HOME_FILE} is damaged.")
    return {k: v for k, v in recorded.items() if isinstance(v, str)}


def read_home(folder: Path, *, missing_ok: bool = False) -> dict[str, Any]:
    """What `init` wrote down about the home in `folder`."""
    path = folder / HOME_FILE
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        if missing_ok:
            return {}
        raise NotFound(f"There is no archive in {folder}: run `strongroom init` first.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BackendError(f"{path} cannot be read.") from error
    if not isinstance(document, dict):
        raise BackendError(f"{path} is damaged.")
    return document
