"""Inside the job: ranks, gradient exchange, the clock, phases, and the repeat-until-sure loop."""
