"""The table of doors: what is called, with what it begins, and how long an input may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.fuzz import commands, exports, parsers, readers, seeds, spoken, stores
from tests.fuzz.judge import Door


@dataclass(frozen=True, slots=True)
class Target:
    """A door takes the bytes and returns, or raises an error of the archive's own."""

    door: Door
    seeds: seeds.Seeds
    limit_bytes: int = 4096


TARGETS: Mapping[str, Target] = {
    "content": Target(readers.by_content, seeds.files, 32_768),
    "format": Target(readers.by_name, seeds.with_name, 32_768),
    "folder": Target(readers.in_a_folder, seeds.bundles, 65_536),
    "bundle": Target(readers.one_bundle, seeds.bundles, 65_536),
    "vcon": Target(readers.vcon_with_keys, seeds.vcons, 32_768),
    "pem": Target(readers.keys_and_certificates, seeds.pems),
    "json": Target(parsers.json_text, seeds.documents, 8192),
    "xml": Target(parsers.xml_text, seeds.xmls, 8192),
    "dates": Target(parsers.dates, seeds.dates, 128),
    "numbers": Target(parsers.numbers, seeds.numbers, 512),
    "wav": Target(parsers.wav_header, seeds.sounds),
    "flac": Target(parsers.flac_header, seeds.sounds, 256),
    "ends": Target(parsers.ends_of_streams, seeds.sounds, 8192),
    "gzip": Target(parsers.gzip, seeds.gzips),
    "unpacked": Target(parsers.unpacked, seeds.unpacked),
    "watched": Target(parsers.watched, seeds.watched, 512),
    "variant": Target(readers.variant, spoken.variants),
    "annotations": Target(exports.remarks, spoken.remarks, 8192),
    "grown": Target(readers.grown_log, spoken.grown),
    "store": Target(stores.answers, stores.seeds),
    "manifest": Target(parsers.manifest, seeds.manifests),
    "sealed": Target(parsers.sealed, parsers.sealed_seeds, 40_000),
    "record": Target(parsers.record, parsers.record_seeds, 128),
    "note": Target(parsers.signed_note, parsers.note_seeds),
    "home": Target(parsers.home_file, seeds.homes),
    "keyring": Target(parsers.keyring, seeds.keyrings),
    "address": Target(parsers.address, seeds.addresses, 256),
    "log": Target(parsers.log, seeds.logs),
    "command": Target(commands.line, seeds.commands, 512),
    "deposit": Target(commands.deposit, seeds.deposits, 65_536),
    "texts": Target(exports.texts, seeds.texts, 1024),
    "exports": Target(exports.sessions, seeds.folders, 32_768),
    "recordings": Target(exports.recordings, seeds.folders, 32_768),
    "without": Target(exports.without, seeds.folders, 32_768),
}
