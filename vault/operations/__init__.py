"""What the archive does: one module, one straight line.

Operations see the world through ports only; adapters are handed to them by bootstrap.
"""
