"""From trends to figures, words and PDF pages."""
