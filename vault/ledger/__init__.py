"""The evidence book: what an outsider can check without trusting us, or asking us.

Pure functions over values: nothing here reads, writes or tells the time. Formats are those of
C2SP (https://c2sp.org), so that existing tools verify what we sign.
"""
