"""``saih sweep --adaptive``: options, and a real tiny sweep that is killed and goes on."""

from pathlib import Path

import pytest

from saih.cli import run
from saih.commands.adaptive_asking import asked_of
from saih.domain.errors import UsageError

TINY = """\
name: tiny
workload: cosmoflow
base:
  data: {samples: 8, resolution: 8, channels: 1, universes: 2}
  model: {depth: 1, width: 2}
axes:
  model: {width: [2, 3, 4, 5, 6, 8]}
"""


@pytest.mark.parametrize(
    ("precision", "budget", "meant"),
    [
        (None, None, (0.1, None)),
        ("5%", "2 node-hours", (0.05, 7200.0)),
        (" 12.5 % ", "30 min", (0.125, 1800.0)),
        ("20%", "90s", (0.2, 90.0)),
    ],
)
def test_what_is_asked_is_read_as_it_is_written(
    precision: str | None, budget: str | None, meant: tuple[float, float | None]
) -> None:
    asked = asked_of(precision, budget)
    assert (asked.precision, asked.budget_node_s) == meant


@pytest.mark.parametrize(
    ("precision", "budget"),
    [
        ("10", None),
        ("1%", None),
        ("101%", None),
        ("nan%", None),
        (None, "5"),
        (None, "0 min"),
        (None, "2 weeks"),
        (None, "-1 h"),
    ],
)
def test_what_cannot_be_asked_is_refused(precision: str | None, budget: str | None) -> None:
    with pytest.raises(UsageError):
        asked_of(precision, budget)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--precision", "10%"), "add --adaptive"),
        (("--adaptive", "--verify"), "do not go together"),
        (("--adaptive", "--scheduler", "slurm"), "--scheduler local"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY)
    assert run(["sweep", "tiny.yaml", *options]) == 2
    assert said in capsys.readouterr().err
    assert not Path("results").exists()
