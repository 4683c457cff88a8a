"""An NNI tuner that hands out seeds until the vote of the searches is stable, and then ends the experiment.

In an experiment's file, for ``nnictl create`` and ``nas-ctx launch`` alike (``nas-ctx launch --until-stable`` puts it
into a file that has another tuner)::

    searchSpace:
      seed: {_type: choice, _value: [0, 1, 2]}   # then 3, 4, ...
    tuner:
      codeDirectory: .   # NNI asks for one
      className: nas_ctx.tuner.UntilStable
      classArgs: {least: 3, most: 15, level: 0.95}
    maxTrialNumber: 15

The trials must report their genotype at the end, as those of :mod:`nas_ctx.trial` do.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nni
from nni.tuner import Tuner

from nas_ctx.analysis.early_vote import EarlyVote, Rule
from nas_ctx.errors import InputError
from nas_ctx.experiment.manager import DIRECT, authorization
from nas_ctx.experiment.parameters import seeds_in

_log = logging.getLogger("nni.nas_ctx.tuner")  # NNI shows what is logged below its own name, in dispatcher.log


class UntilStable(Tuner):
    """Hands out the seeds of the search space, then further ones, until :class:`~nas_ctx.analysis.Rule`
    says to stop.

    Searches that run side by side when it says so come to their end and count too. A failed search gives no vote and is
    not repeated; when the first ``least`` searches all failed, no more are started.
    """

    def __init__(self, least: int = 3, most: int = 15, level: float = 0.95) -> None:
        self.rule = Rule(least, most, level)
        self._key, self._seeds = "seed", [0]
        self._given = self._failed = 0
        self._results: list[Mapping[str, Any]] = []
        self._ended = False

    def update_search_space(self, search_space: dict[str, Any]) -> None:
        """Take the name of the seed and its first values."""
        self._key, self._seeds = seeds_in(search_space)

    def generate_parameters(self, parameter_id: int, **_: Any) -> dict[str, int]:
        """The next seed."""
        if self._ended or self._given >= self.rule.most:
            raise nni.NoMoreTrialError("the vote is stable" if self._ended else "as many searches as are allowed")
        place = self._given
        self._given += 1
        further = place - len(self._seeds)
        return {self._key: self._seeds[place] if further < 0 else max(self._seeds) + 1 + further}

    def receive_trial_result(self, parameter_id: int, parameters: Any, value: Any, **_: Any) -> None:
        """Count a search's vote, and end the experiment where that was enough."""
        self._results.append(value)
        vote = EarlyVote.of_results(self._results, self.rule)
        _log.info("%s", vote)
        if vote.stable:
            self._end()

    def trial_end(self, parameter_id: int, success: bool, **_: Any) -> None:
        """Count a search that failed."""
        self._failed += not success
        if not success and not self._results and self._failed >= self.rule.least:
            _log.warning("the first %d searches all failed", self._failed)
            self._end()

    def import_data(self, data: list[Any]) -> None:
        """Count the votes of searches that ended before the experiment was resumed."""
        for entry in data:
            self._given += 1
            self.receive_trial_result(-1, entry["parameter"], entry["value"])

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            _no_more_trials(self._given)


def _no_more_trials(started: int) -> None:
    """Tell the manager that ``started`` trials are all: otherwise it waits for ever for more."""
    channel = os.environ.get("NNI_TUNER_COMMAND_CHANNEL", "")
    address = re.sub(r"^ws://(?:[^@/]*@)?(.*)/tuner$", r"http://\1/api/v1/nni/experiment", channel)
    if address == channel:
        return  # not started by a manager
    headers = {"Content-Type": "application/json"}
    with contextlib.suppress(KeyError, InputError):  # a manager that nnictl itself started asks for no token
        headers["Authorization"] = authorization(Path(os.environ["NETRC"]))
    try:
        with DIRECT.open(urllib.request.Request(address, headers=headers), timeout=20) as answer:
            profile = json.load(answer)
        profile["params"]["maxTrialNumber"] = started
        change = urllib.request.Request(
            f"{address}?update_type=MAX_TRIAL_NUM", json.dumps(profile).encode(), headers, method="PUT"
        )
        DIRECT.open(change, timeout=20).close()
    except (OSError, ValueError) as error:
        _log.warning("the experiment does not end by itself: its manager says: %s", error)
