"""Names of the parts of a split: training, validation and test, in several languages."""

import re
import unicodedata
from collections.abc import Iterable

_TEST_WORDS = (
    "test|testing|essais?|pruebas?|prova|testes?|pruf(?:ung)?|pruef(?:ung)?|verifica"  # en fr es it
)
SPLITS = (
    f"{_TEST_WORDS}|train|training|val|valid|validate|validation|dev|holdout|hold[ _-]out|eval"
    "|evaluation|unseen"
    "|trainings|lern|validierungs?"
    "|apprentissage|entrainement"
    "|entrenamiento|validacion|evaluacion"
    "|addestramento|allenamento|validazione|valutazione"
    "|treino|treinamento|validacao|avaliacao"
)
"""Words for parts: English, German, French, Spanish, Italian, Portuguese; without accents."""
_WHAT = r"(?:[ _.-]?(?:set|data|images?|imgs?|split|daten|datensatz|satz|bilder))?"
_OF = (
    r"(?:(?:donnees|jeu|ensemble|datos|conjunto|imagenes|dati|insieme|immagini|dados|imagens|images"
    r")[ _-](?:d[aeio]?[ _'-]?)?)?"
)
_PART = re.compile(f"{_OF}(?:{SPLITS}){_WHAT}")
_NUMBER = r"(?:[ _-]?\d{1,4})?"
_NUMBERED = re.compile(f"{_OF}({SPLITS}){_WHAT}{_NUMBER}")
_TEST = re.compile(f"{_OF}(?:{_TEST_WORDS}){_WHAT}{_NUMBER}")
_ASIDE = re.compile(f"(?:un|not[ _-])label+ed{_WHAT}{_NUMBER}|extra{_WHAT}{_NUMBER}")
"""What lies beside a training part, of images whose labels are not known, or more of them."""


def is_part(folder: str) -> bool:
    """Whether a folder is named as a part of a split.

    >>> [name for name in ("train", "Test_set", "val", "trainer", "testis") if is_part(name)]
    ['train', 'Test_set', 'val']
    >>> all(map(is_part, ("Prüfdaten", "entraînement", "datos de prueba", "Validação")))
    True
    """
    return _PART.fullmatch(_plain(folder)) is not None


def parts_among(folders: Iterable[str]) -> list[str]:
    """The folders that are parts of a split, as those beside them show.

    A number behind the name (``test1``) may be one of several labels, unless another part is there.

    >>> parts_among(["train", "test1", "unlabeled"]), parts_among(["test1", "test2", "extra"])
    (['train', 'test1', 'unlabeled'], [])
    """
    names = {folder: _plain(folder) for folder in folders}
    found = {folder: _NUMBERED.fullmatch(name) for folder, name in names.items()}
    several = len({match[1] for match in found.values() if match}) > 1
    if not several and not any(map(is_part, names)):
        return []
    return [
        folder
        for folder, match in found.items()
        if match or is_part(folder) or _ASIDE.fullmatch(names[folder])
    ]


def is_test(folder: str) -> bool:
    """Whether a folder is named as the test part of a split, or one of several."""
    return _TEST.fullmatch(_plain(folder)) is not None


def _plain(text: str) -> str:
    """A name in lower case, without accents."""
    parts = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in parts if not unicodedata.combining(c))
