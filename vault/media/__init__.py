"""Audio: recognised by content, measured, transcoded and mixed, without a plaintext file."""
