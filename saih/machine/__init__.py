"""What this machine is, what it can do at best, and how its ranks reach each other."""
