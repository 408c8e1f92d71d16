"""Drawings that choose among candidates by a reward."""

from dataclasses import dataclass, field

from tgap.core import option
from tgap.drawings.base import Drawing
from tgap.drawings.judges.base import Judge
from tgap.drawings.rewards.base import Reward

CHOOSE = ("value", "random")


@dataclass(kw_only=True)
class Rewarded(Drawing):
    """Chooses among candidates, one of value v with chance in proportion to exp(v / alpha).

    Args:
        reward: Gives values.
        judge: What a reward that needs one goes by; it learns from the reserve alone.
        candidates: Among how many.
        alpha: The smaller, the surer the best one is chosen.
        choose: By their values, or as many at random: the twin that a gain is compared with.
    """

    reward: Reward = field(metadata={"help": "what makes an image better", "choice": "uncertainty"})
    judge: Judge = field(metadata={"help": "what the reward goes by", "choice": "classifier"})
    candidates: int = option(4, "how many are chosen among", low=1, high=1000)
    alpha: float = option(0.1, "chances are in proportion to exp(value / alpha)", above=0)
    choose: str = option("value", "what is chosen by", choices=CHOOSE)

    def judge_used(self) -> Judge | None:
        """The judge, where the reward goes by it."""
        return self.judge if self.choose == "value" and self.reward.uses_judge else None

    def reward_used(self) -> Reward | None:
        """The reward, unless it is chosen at random."""
        return self.reward if self.choose == "value" else None
