#!/bin/bash
# @title@
#PBS -N @name@
#PBS -j oe
#PBS -o @log@
#PBS -l walltime=@time@
#PBS -l select=@nodes@:@chunk@
@directives@

@preparation@
set -u
echo "@title@: job $PBS_JOBID on $(hostname)"

@driver@

# A job cannot requeue itself here: the same `saih sweep` continues what was stopped before the end (75).
echo "saih: ended with $code"
exit "$code"
