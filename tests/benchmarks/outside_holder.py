"""Holds what ``benchmarks.outside`` makes, tells what that is, and waits to be ended."""

import json
import signal
import sys
import time
from contextlib import ExitStack

from benchmarks.outside_groups import control_groups
from benchmarks.outside_network import linked_namespaces

# Those who start tests in the background have it ignored, which is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)

with ExitStack() as stack:
    keepers: tuple[int, ...] = ()
    reason = ""
    groups = stack.enter_context(control_groups())
    try:
        keepers = stack.enter_context(linked_namespaces())
    except OSError as error:
        reason = str(error)
    sys.stdout.write(
        f"{json.dumps({'keepers': keepers, 'groups': list(groups.values()), 'reason': reason})}\n"
    )
    sys.stdout.flush()
    time.sleep(float(sys.argv[1]))
