"""Whether a pool has as many images of each label as a run asks for."""

from tgap.composition.config import Run
from tgap.core import ImageSet

FEW = (12, 100)
"""Images of the rarest label, at least and at most, that cross-fitting is for."""
FOR_FEW = (
    "; or, as there are so few images, add `profile=few protocol.fold=0,1,2,3,4 -m` to the command "
    "and leave size out (docs/few_images.md)"
)


def check_size(run: Run, pool: ImageSet, dataset: ImageSet) -> list[str]:
    """Whether the selector can pick as many images of each label from such a pool.

    Args:
        run: Asks for its size.
        pool: What it picks from.
        dataset: All images: where these are few, the error says how such are best used.
    """
    if not run.selects or not run.selector.sized:
        return []
    counts = run.selector.candidate_counts(pool.labels, pool.patients)
    sizes = run.sizes(pool.labels)
    most_of_all = [run.selector.capacity(available) for available in counts]
    largest = min((most for most in most_of_all if most is not None), default=0)
    smaller = f"set size={largest}" if run.unit == "label" and largest else "choose a smaller size"
    problems = []
    few = FOR_FEW if are_few(run, dataset) else ""
    every = zip(pool.label_names, sizes, counts, most_of_all, strict=True)
    for label, size, available, most in every:
        if most is not None and size > most:
            problems.append(
                f"size={run.size} asks for {size} images of label '{label}', but selector "
                f"'{run.selector.title()}' can pick at most {most} from the pool's {available} "
                f"(dataset={run.dataset.title()}); {smaller}, or selector=whole (all of the "
                f"pool), a larger pool_size, or a selector that repeats images{few}"
            )
        if size:
            obstacles = run.selector.check_candidates(available)
            problems += [f"{text} (label '{label}')" for text in obstacles]
    return problems


def are_few(run: Run, dataset: ImageSet) -> bool:
    """Whether cross-fitting is for such a dataset, and is not what the run does already."""
    fewest = min(dataset.label_counts().values(), default=0)
    return (
        FEW[0] <= fewest <= FEW[1]
        and dataset.official_pool is None
        and len(run.protocol.averaged()) == 1
    )
