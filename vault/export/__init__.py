"""The way out: files for people and other programs, written whole or not at all."""
