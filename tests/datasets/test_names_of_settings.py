"""Messages about a dataset at another place of a run name the settings there."""

import logging

import pytest

from tests.corpus.making import put_folders
from tgap.core import DataError
from tgap.datasets.base import of_node, warned
from tgap.datasets.image_folder import ImageFolder
from tgap.datasets.textbook import Textbook


@pytest.fixture
def folder(tmp_path):
    put_folders(tmp_path, count=1)
    return ImageFolder(path=str(tmp_path))


LOG = logging.getLogger("tgap.datasets.reading.somewhere")


def test_warnings_name_its_place_once(folder, caplog):
    with of_node("generator.images", folder), warned() as texts:
        LOG.warning("set dataset.%s, as a dataset.of says", "table")
    LOG.warning("set dataset.path")
    assert caplog.messages == [
        "set generator.images.table, as a dataset.of says",
        "set dataset.path",
    ]
    assert texts == ["set dataset.table, as a dataset.of says"]


def test_within_another_one_the_place_is_that_of_both(folder, caplog):
    book = Textbook(tuning=folder, real=folder)
    with of_node("generator.images", book), of_node("dataset.tuning", folder):
        LOG.warning("set dataset.path")
    assert caplog.messages == ["set generator.images.tuning.path"]


def test_so_do_errors(folder):
    with (
        pytest.raises(DataError, match=r"^generator.images: set generator\.images\.path$"),
        of_node("generator.images", folder),
    ):
        raise DataError("set dataset.path")
