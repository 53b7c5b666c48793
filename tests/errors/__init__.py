"""Which test reaches which error: `witnesses.toml`; `test_witnesses` keeps it whole, `__main__` fills it."""
