#!/bin/bash
# @title@
# flux: --job-name=@name@
# flux: --output=@log@
# flux: --time-limit=@time_s@s
# flux: --nodes=@nodes@
# flux: --nslots=@all_tasks@
# flux: --cores-per-slot=@cores@
# flux: --signal=SIGUSR2@@notice_s@s
@directives@

@preparation@
set -u
echo "@title@: job ${FLUX_JOB_ID:-unknown} on $(hostname)"

@driver@

# A job cannot requeue itself here: the same `saih sweep` continues what was stopped before the end (75).
echo "saih: ended with $code"
exit "$code"
