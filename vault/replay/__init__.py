"""A session in time: what its timeline says about how it went."""
