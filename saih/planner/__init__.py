"""From a sweep to the points that will run, each with its cost, and those that cannot with the reason."""
