"""Names of the parts of a split: training, validation and test, in several languages."""

import re
import unicodedata

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
_TEST = re.compile(f"{_OF}(?:{_TEST_WORDS}){_WHAT}")


def is_part(folder: str) -> bool:
    """Whether a folder is named as a part of a split.

    >>> [name for name in ("train", "Test_set", "val", "trainer", "testis") if is_part(name)]
    ['train', 'Test_set', 'val']
    >>> all(map(is_part, ("Prüfdaten", "entraînement", "datos de prueba", "Validação")))
    True
    """
    return _PART.fullmatch(_plain(folder)) is not None


def is_test(folder: str) -> bool:
    """Whether a folder is named as the test part of a split."""
    return _TEST.fullmatch(_plain(folder)) is not None


def _plain(text: str) -> str:
    """A name in lower case, without accents."""
    parts = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in parts if not unicodedata.combining(c))
