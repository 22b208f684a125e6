"""What each format of annotations accepts and leaves out, and its malformed files, which are named in one sentence."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotated import FORMATS, NAMES, read, voc_object, voc_text, write, write_image
from PIL import Image

from overpaint.core.errors import OverpaintError
from overpaint.data.annotations.objects import BoxObjects, MaskObjects

HEADER = "image,class,left,top,right,bottom\n"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_image(tmp_path / "photos" / "a.png", 40, 20)


def _boxes(objects: BoxObjects | MaskObjects) -> dict[int, list[tuple[float, ...]]]:
    """The boxes of each class in the image's own pixels."""
    scale = np.array([40, 20, 40, 20]) / 24
    return {t: [tuple((np.array(b) * scale).round(6).tolist()) for b in objects.boxes(t)] for t in range(3)}


def _coco(path: Path, **changes: Any) -> Path:
    """A sound COCO file, in which entries are changed: ``annotation_bbox=...``; ... removes one."""
    content: dict[str, Any] = {
        "images": [{"id": 7, "file_name": "a.png", "width": 40, "height": 20}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [2, 3, 4, 5]}],
        "categories": [{"id": 3, "name": "cat"}],
    }
    sections = {"image": content["images"], "annotation": content["annotations"], "category": content["categories"]}
    for name, value in changes.items():
        section, _, key = name.partition("_")
        holder = sections[section][0] if section in sections else content
        key = key if section in sections else name
        if value is ...:
            del holder[key]
        else:
            holder[key] = value
    return write(path / "a.json", json.dumps(content))


def test_crowds_of_coco_are_left_out(tmp_path: Path, image: Path) -> None:
    (objects,) = read(_coco(tmp_path), [image])
    assert _boxes(objects) == {0: [(2, 3, 6, 8)], 1: [], 2: []}
    (objects,) = read(_coco(tmp_path, annotation_iscrowd=1, annotation_bbox=...), [image])
    assert _boxes(objects) == {0: [], 1: [], 2: []}


def test_coco_may_leave_the_size_unstated(tmp_path: Path, image: Path) -> None:
    (objects,) = read(_coco(tmp_path, image_width=..., image_height=...), [image])
    assert _boxes(objects)[0] == [(2, 3, 6, 8)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": ...}, r"a\.json is no COCO file: it has no list 'images'$"),
        ({"categories": {}}, r"a\.json is no COCO file: it has no list 'categories'$"),
        ({"annotations": ["box"]}, r"annotations\[0\] has no 'image_id' that is a whole number or text$"),
        ({"image_id": ...}, r"images\[0\] has no 'id' that is a whole number or text$"),
        ({"image_file_name": 3}, r"images\[0\] has no 'file_name' that is a text$"),
        ({"images": 2 * [{"id": 7, "file_name": "a.png"}]}, r"images\[1\] has the id=7 of another image$"),
        ({"category_id": "3"}, r"categories\[0\] has no 'id' that is a whole number$"),
        ({"annotation_image_id": 8}, r"annotations\[0\]: image_id=8 is not the id of any of its images$"),
        ({"annotation_category_id": 4}, r"annotations\[0\]: category_id=4 is not the id of any of its categories$"),
        ({"annotation_bbox": ...}, r"annotations\[0\] has no 'bbox' that is a list$"),
        ({"annotation_bbox": [1, 2, 3]}, r"annotations\[0\]: bbox has 3 values, not left, top, width and height$"),
        ({"annotation_bbox": [1, 2, "x", 4]}, r"annotations\[0\]: bbox='x' is not a finite number$"),
        ({"annotation_bbox": [1, 2, None, 4]}, r"annotations\[0\]: bbox=None is not a finite number$"),
        ({"annotation_bbox": [1, 2, float("nan"), 4]}, r"annotations\[0\]: bbox=nan is not a finite number$"),
        ({"annotation_bbox": [1, 2, 10**400, 4]}, r"annotations\[0\]: bbox=10+ is not a finite number$"),
        ({"annotation_bbox": [9, 2, -3, 4]}, r"\(9, 2\) to \(6, 6\) has no positive width and height$"),
        ({"annotation_bbox": [9, 2, 3, 0]}, r"\(9, 2\) to \(12, 2\) has no positive width and height$"),
        ({"annotation_bbox": [30, 2, 11.5, 4]}, r"reaches outside the image .*a\.png of 40x20 pixels$"),
        ({"annotation_bbox": [40.2, 2, 0.5, 4]}, r"reaches outside the image .*a\.png of 40x20 pixels$"),
        ({"annotation_bbox": [-1.5, 2, 4, 4]}, r"reaches outside the image"),
        ({"annotation_bbox": [0, 18, 4, 3.5]}, r"reaches outside the image"),
        ({"category_name": "hat"}, r"annotations\[0\]: the classifier has no class 'hat'; did you mean cat\?"),
        ({"image_width": 20, "image_height": 40}, r"images\[0\] is for an image of 20x40 .*a\.png has 40x20"),
        ({"image_width": "wide"}, r"images\[0\]: width='wide' is not a finite number$"),
    ],
)
def test_a_malformed_coco_file(tmp_path: Path, image: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OverpaintError, match=message) as error:
        read(_coco(tmp_path, **changes), [image])
    assert str(tmp_path / "a.json") in str(error.value)


def test_an_overhang_of_a_pixel_is_cut(tmp_path: Path, image: Path) -> None:
    (objects,) = read(_coco(tmp_path, annotation_bbox=[-1, -0.5, 42, 21]), [image])
    assert isinstance(objects, BoxObjects)
    assert objects.by_class == {0: [(0, 0, 24, 24)]}


@pytest.mark.parametrize("text", ["", "{", "[1, 2", "\x00", '{"images": nothing}', 100000 * "["])
def test_broken_json(tmp_path: Path, image: Path, text: str) -> None:
    with pytest.raises(OverpaintError, match=r"a\.json is no JSON \("):
        read(write(tmp_path / "a.json", text), [image])


def test_files_that_are_no_text(tmp_path: Path, image: Path) -> None:
    for name in ("a.json", "a.csv", "a.txt"):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00\xd8")
        with pytest.raises(OverpaintError, match=rf"{re.escape(name)} can't be read as UTF-8 text \("):
            read(tmp_path / name, [image])


def test_voc_counts_from_one_and_leaves_out_difficult_objects(tmp_path: Path, image: Path) -> None:
    difficult = voc_object((0, 0, 9, 9), "cat", "<difficult>1</difficult>")
    easy = voc_object((2, 3, 6, 8), "cat", "<difficult>0</difficult><part><bndbox><xmin>1</xmin></bndbox></part>")
    write(tmp_path / "a.xml", voc_text(difficult + easy + voc_object((0, 0, 40, 20), "dog")))
    assert "<xmin>3</xmin><ymin>4</ymin><xmax>6</xmax><ymax>8</ymax>" in easy
    (objects,) = read(tmp_path / "a.xml", [image])
    assert _boxes(objects) == {0: [(2, 3, 6, 8)], 1: [], 2: [(0, 0, 40, 20)]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"can't be read as XML \("),
        ("<annotation>", r"can't be read as XML \("),
        ("<?xml version='1.0' encoding='nonsense'?><annotation/>", r"can't be read as XML \("),
        ("<html/>", r"is no Pascal VOC file: it holds <html>, not <annotation>$"),
        (voc_text(voc_object((1, 1, 5, 5), " ")), r"object 1 has no <name>$"),
        (voc_text("<object><name>cat</name></object>"), r"object 1 has no <bndbox/xmin>$"),
        (voc_text(voc_object((1, 1, 5, 5)).replace("ymax", "yend")), r"object 1 has no <bndbox/ymax>$"),
        (voc_text(voc_object((1, 1, 5, 5)).replace(">5<", ">five<")), r"object 1: xmax='five' is not a finite number$"),
        (voc_text(voc_object((1, 1, 5, 5)).replace(">5<", ">nan<")), r"object 1: xmax='nan' is not a finite number$"),
        (voc_text(voc_object((1, 1, 5, 5)) + voc_object((5, 1, 2, 5))), r"object 2: .* no positive width and height$"),
        (voc_text(voc_object((1, 1, 42, 5))), r"object 1: .* reaches outside the image .* of 40x20 pixels$"),
        (
            voc_text(voc_object((1, 1, 5, 5), "dogs")),
            r"object 1: the classifier has no class 'dogs'; did you mean dog\?",
        ),
        (voc_text("", "<size><width>40</width></size>"), r" has no <size/height>$"),
        (voc_text("", "<size><width>0</width><height>0</height></size>"), r"of 0x0 pixels, but .* has 40x20"),
    ],
)
def test_a_malformed_voc_file(tmp_path: Path, image: Path, text: str, message: str) -> None:
    with pytest.raises(OverpaintError, match=rf"notes/a\.xml.*{message}"):
        read(write(tmp_path / "notes" / "a.xml", text).parent, [image])


def test_yolo_files_may_be_empty(tmp_path: Path, image: Path) -> None:
    (objects,) = read(write(tmp_path / "a.txt", "\n"), [image])
    assert _boxes(objects) == {0: [], 1: [], 2: []}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels/train/classes.txt", "dog\ncat\n"),
        ("labels/train/data.yaml", "names: [dog, cat]\n"),
        ("data.yaml", "nc: 2\nnames:\n  0: dog\n  1: cat\n"),
        ("labels/data.yml", "names: ['dog', 'cat']"),
    ],
)
def test_yolo_takes_names_from_a_file_nearby(tmp_path: Path, image: Path, name: str, text: str) -> None:
    write(tmp_path / "labels" / "train" / "a.txt", "0 0.5 0.5 1 1\n1 .25 .25 .5 .5\n")
    (objects,) = read(tmp_path / "labels" / "train", [image])
    assert _boxes(objects) == {0: [(0, 0, 40, 20)], 1: [(0, 0, 20, 10)], 2: []}
    write(tmp_path / name, text)
    (objects,) = read(tmp_path / "labels" / "train", [image])
    assert _boxes(objects) == {0: [(0, 0, 20, 10)], 1: [], 2: [(0, 0, 40, 20)]}


def test_the_classifiers_classes_of_one_name_are_told_apart_by_yolos_index(tmp_path: Path, image: Path) -> None:
    (objects,) = read(write(tmp_path / "a.txt", "2 0.5 0.5 1 1\n"), [image], ["crane", "cat", "crane"])
    assert _boxes(objects) == {0: [], 1: [], 2: [(0, 0, 40, 20)]}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 1", r"has 4 values, not class, centre x, centre y, width and height$"),
        ("0 0.5 0.5 1 1 0.9", r"has 6 values"),
        ("3 0.5 0.5 1 1", r": class 3 is not the index of any of the classifier's 3 classes$"),
        ("-1 0.5 0.5 1 1", r": class -1 is not the index"),
        ("cat 0.5 0.5 1 1", r": class cat is not the index"),
        ("0 0.5 half 1 1", r": value='half' is not a finite number$"),
        ("0 0.5 nan 1 1", r": value='nan' is not a finite number$"),
        ("0 20 10 8 8", r"has values outside 0 to 1; they must be shares of the image's sides$"),
        ("0 0.5 -0.1 1 1", r"has values outside 0 to 1"),
        ("0 0.5 0.5 0 1", r"has no positive width and height$"),
        ("0 0.9 0.5 0.4 1", r"reaches outside the image"),
    ],
)
def test_a_malformed_yolo_file(tmp_path: Path, image: Path, line: str, message: str) -> None:
    with pytest.raises(OverpaintError, match=rf"notes/a\.txt line 2.*{message}"):
        read(write(tmp_path / "notes" / "a.txt", f"1 0.5 0.5 1 1\n{line}\n").parent, [image])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("data.yaml", "names: [", r"data\.yaml is no YAML \("),
        ("data.yaml", "nc: 2", r"data\.yaml has no 'names'"),
        ("data.yaml", "names: {cat: 0}", r"data\.yaml has no 'names'"),
        ("classes.txt", "", r"class 0 is not the index of any of .*classes\.txt's 0 classes"),
        ("classes.txt", "bat", r"line 1: the classifier has no class 'bat'; did you mean cat\?"),
    ],
)
def test_malformed_names_of_yolos_classes(tmp_path: Path, image: Path, name: str, text: str, message: str) -> None:
    write(tmp_path / "a.txt", "0 0.5 0.5 1 1\n")
    write(tmp_path / name, text)
    with pytest.raises(OverpaintError, match=message):
        read(tmp_path, [image])


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}a.png,cat,2,3,6,8\n\na.png,cat,0,0,1,1\n",
        "\ufeffLabel, filename ,xmax,ymax,xmin,ymin\r\ncat,a.png,6,8,2,3\r\ncat,a.png,1,1,0,0\r\n",
        "filename,width,height,class,xmin,ymin,xmax,ymax\na,40,20,cat,2,3,6,8\na,40,20,Cat,0,0,1,1\n",
        f'{HEADER}"a.png","cat",2,3,6,8\n"a.png",cat, 0, 0, 1, 1',
    ],
)
def test_tables_of_several_headers(tmp_path: Path, image: Path, text: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    (objects,) = read(tmp_path / "a.csv", [image])
    assert _boxes(objects) == {0: [(2, 3, 6, 8), (0, 0, 1, 1)], 1: [], 2: []}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.csv has no column 'image'; its first line must be image,class,left,top,right,bottom$"),
        ("a.png,cat,1,2,3,4\n", r"a\.csv has no column 'image'"),
        ("image,class,left,top,right\n", r"a\.csv has no column 'bottom'"),
        ("image,class,left,top,right,bottom,xmin\n", r"a\.csv has 2 columns for 'left'"),
        (f"{HEADER}a.png,cat,1,2,3\n", r"a\.csv line 2 has 5 values, but the header 6$"),
        (f'{HEADER}"a.png,cat,1,2,3,4\n', r"a\.csv line 2 is no CSV \("),
        (f"{HEADER}a.png,cat,1,2,3,four\n", r"a\.csv line 2: bottom='four' is not a finite number$"),
        (f"{HEADER}a.png,cat,1,2,,4\n", r"a\.csv line 2: right='' is not a finite number$"),
        (f"{HEADER}a.png,cat,1,2,inf,4\n", r"a\.csv line 2: right='inf' is not a finite number$"),
        (f"{HEADER}a.png,cat,4,2,1,4\n", r"a\.csv line 2: .* no positive width and height$"),
        (f"{HEADER}a.png,cat,4,2,8,22\n", r"a\.csv line 2: .* reaches outside the image"),
        (
            f"{HEADER}a.png,,4,2,8,12\n",
            r"a\.csv line 2: the classifier has no class ''; it knows cat, sports car, dog \(",
        ),
        (
            "image,class,left,top,right,bottom,width,height\na,cat,0,0,1,1,40,21\n",
            r"line 2 is for .* 40x21 .* has 40x20",
        ),
        (HEADER, r"none of its 0 images, is one of the 1 images"),
    ],
)
def test_a_malformed_table(tmp_path: Path, image: Path, text: str, message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        read(write(tmp_path / "a.csv", text), [image])


def test_malformed_mask_pictures(tmp_path: Path, image: Path) -> None:
    write_image(tmp_path / "sizes" / "a.png", 20, 40)
    with pytest.raises(
        OverpaintError, match=r"mask picture .*a\.png is for an image of 20x40 pixels, but .* has 40x20"
    ):
        read(tmp_path / "sizes", [image])
    write(tmp_path / "broken" / "a.png", "no picture")
    with pytest.raises(OverpaintError, match=r"the mask picture .*broken/a\.png can't be read \(cannot identify"):
        read(tmp_path / "broken", [image])
    noise = np.random.default_rng(0).integers(0, 256, (20, 40), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "broken" / "a.png")
    (tmp_path / "broken" / "a.png").write_bytes((tmp_path / "broken" / "a.png").read_bytes()[:300])
    with pytest.raises(OverpaintError, match=r"the mask picture .*broken/a\.png can't be read \("):
        read(tmp_path / "broken", [image])
    write_image(tmp_path / "lossy" / "a.jpg", 40, 20)
    with pytest.raises(OverpaintError, match=r"a\.jpg is a JPEG, which blurs the mask; save masks as PNG$"):
        read(tmp_path / "lossy", [image])
    with pytest.raises(OverpaintError, match=r"photos/a\.png is the image itself; masks lie in a folder of their own$"):
        read(image.parent, [image])


def test_sources_without_annotations(tmp_path: Path, image: Path) -> None:
    with pytest.raises(OverpaintError, match=r"annotations=.*/nowhere does not exist$"):
        read(tmp_path / "nowhere", [image])
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty" / "classes.txt", "cat")
    with pytest.raises(OverpaintError, match=r"empty is a folder without annotations; it takes a \.json file of COCO"):
        read(tmp_path / "empty", [image])
    with pytest.raises(OverpaintError, match=r"notes\.doc is no file of annotations; it takes a \.json file of COCO"):
        read(write(tmp_path / "notes.doc", ""), [image])
    write(image.parent / "boxes.json", "{}")
    with pytest.raises(OverpaintError, match=r"photos is a folder; name the file in it, such as .*photos/boxes\.json$"):
        read(image.parent, [image])


def test_an_annotated_image_that_cannot_be_read(tmp_path: Path, image: Path) -> None:
    source = FORMATS["table"](tmp_path, image, 40, 20, (0, 0, 4, 4))
    image.write_text("no picture")
    with pytest.raises(OverpaintError, match=r"the annotated image .*photos/a\.png can't be read \(cannot identify"):
        read(source, [image])


def test_annotations_of_other_images_are_not_looked_at(tmp_path: Path, image: Path) -> None:
    write(tmp_path / "notes" / "b.xml", "broken")
    write(tmp_path / "notes" / "a.xml", voc_text(voc_object((0, 0, 4, 4))))
    (objects,) = read(tmp_path / "notes", [image], NAMES)
    assert _boxes(objects)[1] == [(0, 0, 4, 4)]
