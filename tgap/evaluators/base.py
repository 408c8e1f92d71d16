"""Scores -> metrics."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from tgap.component import Component
from tgap.errors import ContractError
from tgap.types import Scores

LEGS = ("tstr", "trts", "trtr", "tsts")
"""Train on Synthetic or Real, test on Real or Synthetic."""


@dataclass(kw_only=True)
class Evaluator(Component):
    """Turns the legs' scores into named numbers."""

    def evaluate(self, legs: Mapping[str, Scores]) -> dict[str, float]:
        """Compute metrics.

        Args:
            legs: Scores and truth of each of ``LEGS``, and perhaps of further ones: TSTR and TRTR
                on other real test sets, ``external/<name>/tstr``, on some of the labels.

        Returns:
            Metrics by MLflow name, e.g. ``tstr/auroc``; NaN where a number is not defined.

        Raises:
            ContractError: If a leg is missing.
        """
        missing = [leg for leg in LEGS if leg not in legs]
        if missing:
            raise ContractError(f"legs missing: {', '.join(missing)}")
        return self._evaluate(legs)

    @abstractmethod
    def _evaluate(self, legs: Mapping[str, Scores]) -> dict[str, float]: ...
