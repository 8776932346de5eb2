"""The journal of a search: one file on a shared file system, in which ranks tell each other of their trials.

Optuna's append-only journal, made safe for kills: what a killed writer left half written is cut off, and
the trials of killed ranks are tried again, from where they were.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import SuccessiveHalvingPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from workloads.cosmoflow.search_plan import RESOURCES

_FILE_NAME, _LOCK_SUFFIX = "journal.log", ".lock"
_CONTINUES = "continues"
_NUM_RANDOM = 4
"""Trials drawn by chance before the others follow what these showed."""
_BLOCK_BYTES = 1 << 16

Parameters = Mapping[str, Any]  # Any: strings and numbers
Judgement = Callable[[int], float]
"""Error of a trial at one of ``RESOURCES``."""


def mend_journal(folder: Path) -> None:
    """Cut off what a killed writer left half written, and free its lock; while no rank is at work."""
    path = folder / _FILE_NAME
    path.with_name(path.name + _LOCK_SUFFIX).unlink(missing_ok=True)
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, 2)
        while end > 0:
            begin = max(0, end - _BLOCK_BYTES)
            file.seek(begin)
            last_line_end = file.read(end - begin).rfind(b"\n")
            if last_line_end >= 0:
                file.truncate(begin + last_line_end + 1)
                return
            end = begin
        file.truncate(0)


class TrialJournal:
    """The trials for one cost, as all ranks see them."""

    def __init__(self, folder: Path, name: str, space: Mapping[str, BaseDistribution], seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = dict(space)
        self._study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(folder / _FILE_NAME))),
            study_name=name,
            load_if_exists=True,
            sampler=TPESampler(seed=seed, n_startup_trials=_NUM_RANDOM),
            pruner=SuccessiveHalvingPruner(min_resource=1, reduction_factor=RESOURCES[1]),
        )

    def begin(self, first: Sequence[Parameters]) -> None:
        """Let these be tried first, and those of killed ranks again; one rank calls it, before any works."""
        trials = self._study.get_trials(deepcopy=False)
        for trial in trials:
            if trial.state is TrialState.RUNNING:
                self._study.tell(trial.number, state=TrialState.FAIL)
                if trial.params:
                    self._study.enqueue_trial(trial.params, {_CONTINUES: self.number_of(trial)})
        if not trials:
            for parameters in first:
                self._study.enqueue_trial(dict(parameters))

    def ask(self) -> Trial:
        """The next trial; its parameters are decided."""
        return self._study.ask(self._space)

    def follow(self, trial: Trial, judge: Judgement) -> bool:
        """Judge a trial at each resource, until it is left behind by others or done; whether it was done."""
        best = math.inf
        for resource in RESOURCES:
            error = judge(resource)
            best = min(best, error) if math.isfinite(error) else best
            if not math.isfinite(error) or self._is_left_behind(trial, resource, error):
                self._study.tell(trial, state=TrialState.PRUNED)
                return False
        self._study.tell(trial, best)
        return True

    def number_of(self, trial: Trial | FrozenTrial) -> int:
        """The number of its files: that of the killed trial that it continues, or its own."""
        return int(trial.user_attrs.get(_CONTINUES, trial.number))

    @property
    def num_begun(self) -> int:
        """Trials that ended or are at work."""
        return self._count(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)

    @property
    def num_complete(self) -> int:
        """Trials that were not left behind."""
        return self._count(TrialState.COMPLETE)

    @property
    def num_pruned(self) -> int:
        """Trials that were left behind."""
        return self._count(TrialState.PRUNED)

    @property
    def best(self) -> Parameters:
        """Parameters of the trial with the least error, the earlier one of equals; one must be complete."""
        complete = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return min(complete, key=lambda trial: (trial.value or 0.0, trial.number)).params

    def _is_left_behind(self, trial: Trial, resource: int, error: float) -> bool:
        trial.report(error, resource)
        return resource < RESOURCES[-1] and trial.should_prune()

    def _count(self, *states: TrialState) -> int:
        return len(self._study.get_trials(deepcopy=False, states=states))
