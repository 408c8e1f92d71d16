"""What the membership test finds at how many members, by arrays alone: ``tgap.metrics.membership``.

python -m experiments.membership        (about five minutes on one core)

Two labels with 250 others each. Scores say nothing, but for a share of the members, which are given
away: they score more than all others. Prints the Markdown table of ``docs/memorization.md``.
"""

import numpy as np

from tgap.analysis.readings import MEMBERS_P
from tgap.metrics.gap import CHANCE
from tgap.metrics.membership import Attack, attack

MEMBERS = (6, 10, 20, 40, 80, 200)
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
OTHERS, REPETITIONS, DRAWS = 250, 400, 999


def judged(members: int, share: float, seed: int) -> Attack:
    """One tuning set of so many members in all."""
    rng = np.random.default_rng([members, round(100 * share), seed])
    is_member = np.tile(np.arange(members // 2 + OTHERS) < members // 2, 2)
    scores = rng.random(len(is_member))
    scores[is_member & (rng.random(len(is_member)) < share)] += 1
    strata = np.repeat([0, 1], members // 2 + OTHERS)
    return attack(scores, is_member, strata, rng, DRAWS)


def row(members: int) -> str:
    """Share of tuning sets found at 5 %, and told by the verdict, for each share given away;
    coverage; what is excluded.
    """
    found = {share: [judged(members, share, n) for n in range(REPETITIONS)] for share in SHARES}
    powers = [np.mean([one.p <= 0.05 for one in found[share]]) for share in SHARES]
    told = [np.mean([_is_told(one) for one in found[share]]) for share in SHARES]
    covered = min(
        np.mean([one.auroc_lo <= 0.5 + share / 2 <= one.auroc_hi for one in of_share])
        for share, of_share in found.items()
    )
    highest = np.mean([one.auroc_hi for one in found[0.0]])
    cells = [f"{power:.2f} / {said:.2f}" for power, said in zip(powers, told, strict=True)]
    cells += [f"{value:.2f}" for value in (covered, highest)]
    return f"| {members} | " + " | ".join(cells) + " |"


def _is_told(one: Attack) -> bool:
    """As the verdict ``members_told`` has it, where the attack is meaningful."""
    return one.p <= MEMBERS_P and one.auroc_lo > CHANCE


def main() -> None:
    """Print the table."""
    shares = " | ".join(f"{share:.0%}" for share in SHARES)
    print(f"| members | {shares} | least coverage | upper end |\n|---|" + "---|" * 8)
    for members in MEMBERS:
        print(row(members), flush=True)


if __name__ == "__main__":
    main()
