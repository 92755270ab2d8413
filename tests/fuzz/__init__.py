"""Foreign bytes, made worse: every door they come in by, under a coverage-guided fuzzer."""
