"""From points to processes: job scripts, launchers, and what became of them."""
