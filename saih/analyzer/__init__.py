"""From records to trends, verdicts and comparisons. Pure."""
