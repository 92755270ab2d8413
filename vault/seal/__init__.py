"""The sealing room: bytes in, sealed bytes out, and keys that never travel with them.

Knows nothing of stores, files or catalogues. The format is in FORMAT.md beside this file.
"""
