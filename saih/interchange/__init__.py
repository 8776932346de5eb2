"""Formats of others: what was measured elsewhere as our values, and our records as theirs."""
