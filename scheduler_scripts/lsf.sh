#!/bin/bash
# @title@
#BSUB -J @name@
#BSUB -o @log@
#BSUB -W @time@
#BSUB -n @all_tasks@
#BSUB -R "span[ptile=@tasks@] affinity[core(@cores@)]"
#BSUB -wa USR2
#BSUB -wt @notice@
@directives@

@preparation@
set -u
echo "@title@: job $LSB_JOBID on $(hostname)"

@driver@

# LSF runs a job again that ended with a code of its option -Q.
echo "saih: ended with $code"
exit "$code"
