"""The testbed that ranks run on, as what starts them says: its links and limits belong to the figures."""

from collections.abc import Mapping

TESTBED_VARIABLE = "SAIH_TESTBED"
"""Tells ranks, which see nothing of it, the testbed that they are on: mode, limits of devices, links."""


def testbed_fact(environ: Mapping[str, str]) -> dict[str, str]:
    """The fact for an environment; none where ranks run on no testbed."""
    text = environ.get(TESTBED_VARIABLE, "")
    return {"testbed": text} if text else {}
