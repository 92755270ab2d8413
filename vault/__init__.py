"""The archive: seal, keep, find, open."""
