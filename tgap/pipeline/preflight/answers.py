"""Questions that many runs of a sweep ask alike, answered once."""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Answers:
    """Remembers answers by their questions, which are compared: components have no hash."""

    def __init__(self) -> None:
        self._answers: list[tuple[Any, Any]] = []

    def once(self, question: Any, answer: Callable[[], T]) -> T:
        """The answer to a question, found when it is first asked."""
        for known, found in self._answers:
            if known == question:
                return found  # type: ignore[no-any-return]
        self._answers.append((question, answer()))
        return self._answers[-1][1]  # type: ignore[no-any-return]
