"""How long a plan takes, before anything runs: the pieces of each kind of parallelism on one clock."""
