"""The policy room: pure decisions over plain values. Knows nothing else of the house."""
