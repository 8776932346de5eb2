"""A Slurm cluster of several nodes on one machine: its folder, processes, networks, daemons and commands."""
