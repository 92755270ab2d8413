"""The revisions. Each is frozen once released; there is no way back but a backup."""
