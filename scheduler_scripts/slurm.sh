#!/bin/bash
# @title@
#SBATCH --job-name=@name@
#SBATCH --output=@log@
#SBATCH --open-mode=append
#SBATCH --time=@time@
#SBATCH --nodes=@nodes@
#SBATCH --ntasks-per-node=@tasks@
#SBATCH --cpus-per-task=@cores@
#SBATCH --signal=B:USR2@@notice_s@
#SBATCH --kill-on-invalid-dep=yes
@directives@

@preparation@
set -u
echo "@title@: job $SLURM_JOB_ID on $SLURM_JOB_NODELIST, start $((${SLURM_RESTART_COUNT:-0} + 1))"

@driver@

# TERM means that somebody else decided: a cancelled job must not come back, a preempted one does by itself.
if @is_requeued@ && [ "$code" -eq 75 ] && [ "$asked" != TERM ]; then
    echo "saih: ended with $code: stopped before the end; requeued"
    scontrol requeue "$SLURM_JOB_ID" || echo "saih: it could not be requeued; the same \`saih sweep\` continues"
else
    echo "saih: ended with $code"
fi
exit "$code"
