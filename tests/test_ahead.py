"""Images that are read ahead: each once, in their order, in full batches, whoever reads them."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image

from overpaint.core.errors import OverpaintError
from overpaint.data.ahead import ImagesAhead, ReadImage, default_workers, image_digest
from overpaint.data.pattern import open_files
from overpaint.data.split import ImageSplit, Skipped, UnreadSplit, file_stamp


@pytest.fixture
def split(tmp_path: Path) -> UnreadSplit:
    for index in range(11):
        Image.new("L", (8, 8), 20 * index).save(tmp_path / f"{index:02d}.png")
    for broken in ("03", "04", "10"):
        (tmp_path / f"{broken}.png").write_text("no picture")
    return open_files(str(tmp_path), (8, 8), 1, "crop", 0)[0]


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_full_whatever_is_left_out(split: UnreadSplit, workers: int) -> None:
    taken: list[ReadImage] = []
    skipped: list[Skipped] = []

    def take(read: ReadImage) -> bool:
        taken.append(read)
        return read.stamp.name != "06"  # it is done

    batches = list(ImagesAhead(split, range(11), 2, workers, take, skipped.append))
    assert [list(batch.names) for batch in batches] == [["00", "01"], ["02", "05"], ["07", "08"], ["09"]]
    for batch in batches:
        for image, name in zip(batch.images, batch.names, strict=True):
            torch.testing.assert_close(image, torch.full((1, 8, 8), 20 * int(name) / 255))
    assert [Path(one.path).stem for one in skipped] == ["03", "04", "10"]
    assert all(read.digest == image_digest(read.image) for read in taken)
    assert len({read.digest for read in taken}) == 8


def test_nothing_is_read_before_it_is_needed(split: UnreadSplit) -> None:
    taken: list[str] = []
    batches = iter(ImagesAhead(split, range(11), 2, 0, lambda read: not taken.append(read.stamp.name), lambda _: None))
    assert not taken
    next(batches)
    assert taken == ["00", "01"]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_arrives_as_the_sentence_that_it_is(workers: int) -> None:
    def read(indices: Sequence[int]) -> tuple[ImageSplit, list[Skipped]]:
        raise OverpaintError("the box is empty")

    with pytest.raises(OverpaintError, match=r"^the box is empty$"):
        list(ImagesAhead(UnreadSplit(3, read), range(3), 2, workers, lambda _: True, lambda _: None))


def test_few_images_need_no_other_process() -> None:
    assert default_workers(8, 1) == 0
    assert default_workers(10_000, 10_000) == 0
    assert 0 <= default_workers(10_000, 1) <= 4


def test_a_stamp_changes_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    assert file_stamp("a", path).state == ""  # changed a moment ago
    os.utime(path, (1, 1))
    one = file_stamp("a", path).state
    assert one == file_stamp("a", path).state != ""
    os.utime(path, (2, 2))
    assert file_stamp("a", path).state != one
    assert file_stamp("a", tmp_path / "b").state == ""
