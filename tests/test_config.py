"""The command line's words, merged into the configuration and checked against the classes they set."""

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import lightning as L
import pytest
import torch
from jaxtyping import Float
from omegaconf import OmegaConf
from torch import Tensor

from overpaint.classifiers.options import ClassifierOptions
from overpaint.configuration.settings import Settings, load_settings, save_settings
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_arguments, instantiate
from overpaint.data.digits import DigitsData
from overpaint.data.folder import FolderData
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.report.wandb.run import start_run
from overpaint.report.wandb.tables import log_report
from overpaint.saliency.rise import Rise

CONFIGS = Path(__file__).resolve().parents[1] / "configs"

USED_ELSEWHERE = {
    "data": {"name", "target"},
    "model": {"target", "max_epochs", "batch_size", "evaluate_every_n_epochs"},
    "saliency": {"target"},
    "metrics": {"target"},
    "probes": {"target"},
}
"""The entries of a group's files that are no arguments of its class."""

GIVEN_BY_THE_PROGRAM: dict[str, Any] = {
    "class_names": ["a", "b"],
    "mean": [0.5],
    "std": [0.5],
    "image_size": 32,
    "channels": 3,
    "root": "somewhere",
}

SHIPPED = [(path.parent.name, path.stem) for path in sorted(CONFIGS.glob("*/*.yaml"))]


def _train(*words: str) -> Settings:
    return load_settings(CONFIGS, "train", words)


def _explain(output: Path, *words: str) -> Settings:
    return load_settings(CONFIGS, "explain", [f"output={output}", *words])


def _typed(
    count: int = 1,
    rate: float = 0.1,
    kind: Literal["x", "y"] = "x",
    on: bool = False,
    word: str | None = None,
    rates: Sequence[float] | None = None,
) -> dict[str, Any]:
    return {"count": count, "rate": rate, "kind": kind, "on": on, "word": word, "rates": rates}


def test_defaults_are_the_files() -> None:
    settings = _train()
    own = OmegaConf.to_container(OmegaConf.load(CONFIGS / "train.yaml"))
    assert isinstance(own, dict)
    assert settings["trainer"] == own["trainer"]
    assert settings["data"] == OmegaConf.to_container(OmegaConf.load(CONFIGS / "data" / "digits.yaml"))
    assert settings["model"] == {
        name: OmegaConf.to_container(OmegaConf.load(CONFIGS / "model" / f"{name}.yaml"), resolve=True)
        for name in own["model"]
    }
    assert settings["output"] == "outputs/digits"
    assert "groups" not in settings


def test_interpolations_follow_overrides(tmp_path: Path) -> None:
    settings = _explain(tmp_path, "seed=7")
    assert settings["classifier"]["source"] == f"{tmp_path}/classifier.ckpt"
    assert settings["search"]["seed"] == settings["saliency"]["rise"]["seed"] == 7


def test_group_word_chooses_the_file() -> None:
    settings = _train("data=folder", "data.root=my photos")
    assert settings["data"]["target"].endswith("FolderData")
    assert settings["data"]["root"] == "my photos"
    assert settings["output"] == "outputs/folder"


@pytest.mark.parametrize(
    ("word", "names"),
    [("model=dcgan", ["dcgan"]), ("model=[dcgan]", ["dcgan"]), ("model=[dcgan,classifier]", ["dcgan", "classifier"])],
)
def test_group_of_one_or_several(word: str, names: list[str]) -> None:
    assert list(_train(word)["model"]) == names


def test_methods_keep_their_order_beside_their_settings(tmp_path: Path) -> None:
    settings = _explain(tmp_path, "methods=[rise,grad_cam]", "saliency.rise.queries=64")
    assert settings["methods"] == ["rise", "grad_cam"] == list(settings["saliency"])
    assert settings["saliency"]["rise"]["queries"] == 64
    assert _explain(tmp_path, "methods=rise")["methods"] == ["rise"]


def test_nested_override_changes_one_value() -> None:
    changed = _train("model.dcgan.generator_optimizer.lr=2e-4", "model.dcgan.recipe=radford", "trainer.devices=1")
    expected = _train()
    expected["model"]["dcgan"]["recipe"] = "radford"
    expected["model"]["dcgan"]["generator_optimizer"]["lr"] = 2e-4
    expected["trainer"]["devices"] = 1
    assert changed == expected


def test_keys_and_values_change_a_section_and_with_a_target_replace_it() -> None:
    own = _train()["model"]["classifier"]
    found = _train("model.classifier.optimizer={lr: 0.1}")["model"]["classifier"]
    assert found["optimizer"] == own["optimizer"] | {"lr": 0.1}
    assert found["scheduler"] == own["scheduler"] | {"max_lr": 0.1}
    new = "{target: torch.optim.SGD, lr: 0.5, momentum: 0.9}"
    found = _train(f"model.classifier.optimizer={new}")["model"]["classifier"]
    assert found["optimizer"] == {"target": "torch.optim.SGD", "lr": 0.5, "momentum": 0.9}
    assert found["scheduler"]["max_lr"] == 0.5


@pytest.mark.parametrize("order", [1, -1])
def test_a_section_with_a_source_is_named_by_it(tmp_path: Path, order: int) -> None:
    default = _explain(tmp_path)["classifier"]
    words = ["classifier=torchvision:resnet50", "classifier.weights=w.pt"][::order]
    changed = default | {"source": "torchvision:resnet50", "weights": "w.pt"}
    assert _explain(tmp_path, *words)["classifier"] == changed
    assert _explain(tmp_path, "classifier.source=a.onnx", "classifier=b.onnx")["classifier"]["source"] == "b.onnx"
    mapping = _explain(tmp_path, "classifier={source: c.onnx, output: logits}")["classifier"]
    assert mapping == default | {"source": "c.onnx", "output": "logits"}


def test_options_of_a_classifier_are_arguments_and_fit(tmp_path: Path) -> None:
    own = _explain(tmp_path)["classifier"]
    options = ClassifierOptions(**checked_arguments(ClassifierOptions, own, "classifier"))
    assert options == ClassifierOptions(f"{tmp_path}/classifier.ckpt")
    words = ["classifier=a.pt", "classifier.mean=[0,0.5,1]", "classifier.class_names=[cat,1]"]
    given = checked_arguments(ClassifierOptions, _explain(tmp_path, *words)["classifier"], "classifier")
    assert (given["mean"], given["class_names"]) == ([0, 0.5, 1], ["cat", 1])


def test_a_later_word_wins() -> None:
    assert _train("seed=1", "seed=2")["seed"] == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("*.jpg", "*.jpg"),
        ("photos/**/[ab]*.png", "photos/**/[ab]*.png"),
        ("[a", "[a"),
        ("a=b.jpg", "a=b.jpg"),
        ("my photos", "my photos"),
        ("~/photos", "~/photos"),
        ("null", None),
    ],
)
def test_values_that_are_no_yaml_stay_text(tmp_path: Path, text: str, value: str | None) -> None:
    assert _explain(tmp_path, f"images={text}")["images"] == value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["recipe=radford"], r"no setting 'recipe'; did you mean model\.dcgan\.recipe\?"),
        (
            ["model.dcgan.latent_dims=8"],
            r"no setting 'model\.dcgan\.latent_dims'; did you mean model\.dcgan\.latent_dim",
        ),
        (["lr=1"], r"model\.classifier\.optimizer\.lr or model\.dcgan\.generator_optimizer\.lr or model\.dcgan\.disc"),
        (["qqqqq=1"], r"no setting 'qqqqq'; the files in configs/ list all settings"),
        (["data=foldr"], r"data=foldr is unknown; did you mean folder\? \(choose from .*cifar10, digits"),
        (["model=[dcgan,clasifier]"], r"model=clasifier is unknown; did you mean classifier\?"),
        (["data=null"], r"data=None is unknown \(choose from"),
        (["data=[digits,mnist]"], r"data=\['digits', 'mnist'\] must name one data set"),
        (["resume"], r"'resume' is no setting; write key=value"),
        (["=3"], r"'=3' is no setting; write key=value"),
        (["trainer=cpu"], r"'trainer' is a group of settings; set one of them, such as trainer\.max_epochs=\.\.\."),
        (["model.dcgan=3"], r"'model\.dcgan' is a group of settings; set one of them, such as model\.dcgan\."),
        (["trainer={acelerator: cpu}"], r"trainer=.*'acelerator'.*accelerator"),
        (["seed=${sede}"], r"can't be resolved: .*sede"),
        (["model=dcgan", "model.classifier.distortion=0"], r"'model\.classifier\.distortion' would change nothing"),
    ],
)
def test_a_wrong_word_says_what_was_meant(words: list[str], message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        _train(*words)


@pytest.mark.parametrize(("text", "message"), [("a: [", "can't be read"), ("- a", "must hold keys and values")])
def test_a_broken_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.yaml").write_text(text)
    (tmp_path / "train.yaml").write_text("groups: {data: data}\ndata: mine")
    with pytest.raises(OverpaintError, match=rf"mine\.yaml {message}"):
        load_settings(tmp_path, "train", [])


def test_explaining_takes_the_data_of_the_run(tmp_path: Path) -> None:
    save_settings(_train("data=folder", "data.root=photos", "data.resize_mode=stretch"), tmp_path / "config.yaml")
    trained = {"name": "folder", "root": "photos", "resize_mode": "stretch"}
    for words, expected in (
        ([], trained),
        (["data=folder"], trained),
        (["data.root=others"], trained | {"root": "others"}),
    ):
        assert expected.items() <= _explain(tmp_path, *words)["data"].items()
    assert _explain(tmp_path, "data=mnist")["data"]["root"] == "datasets"
    assert _explain(tmp_path / "no_run")["data"]["name"] == "digits"


def test_saved_settings_read_back_alike(tmp_path: Path) -> None:
    settings = _train("data=folder", "data.root=ünï", "model.dcgan.generator_optimizer.lr=1e-5")
    save_settings(settings, tmp_path / "run" / "config.yaml")
    assert OmegaConf.to_container(OmegaConf.load(tmp_path / "run" / "config.yaml")) == settings
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"count": 3, "rate": 0.5, "kind": "y", "on": True, "word": "w"},
        {"rate": 1},
        {"word": None},
        {"rates": [0.5, 1]},
        {"rates": None},
        {},
    ],
)
def test_right_types_pass(arguments: dict[str, Any]) -> None:
    assert checked_arguments(_typed, arguments, "here") == arguments


def test_whole_numbers_become_floats_where_floats_are_taken() -> None:
    ready = checked_arguments(_typed, {"rate": 1, "count": 1}, "here")
    assert (type(ready["rate"]), type(ready["count"])) == (float, int)
    assert [type(rate) for rate in checked_arguments(_typed, {"rates": [0, 1]}, "here")["rates"]] == [float, float]


def test_objects_of_the_program_pass_and_lists_become_tuples_where_tuples_are_taken() -> None:
    def target(image: Float[Tensor, "height width"] | Literal["grey"], bounds: tuple[float, float]) -> None:
        pass

    given = {"image": torch.zeros(2, 2), "bounds": [0, 1]}
    ready = checked_arguments(target, given, "here")
    assert ready["image"] is given["image"]
    assert ready["bounds"] == (0.0, 1.0)
    assert checked_arguments(target, {**given, "image": "grey"}, "here")["image"] == "grey"
    with pytest.raises(OverpaintError, match=r"here\.bounds=\[0\] is not of the right type: it takes tuple\[float"):
        checked_arguments(target, {**given, "bounds": [0]}, "here")


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("count", "many", "int"),
        ("count", 1.5, "int"),
        ("count", True, "int"),
        ("count", None, "int"),
        ("rate", True, "float"),
        ("rate", "fast", "float"),
        ("kind", "z", r"Literal\['x', 'y'\]"),
        ("kind", ["x"], r"Literal\['x', 'y'\]"),
        ("on", 1, "bool"),
        ("word", 3, r"str \| None"),
        ("rates", 3, r".*Sequence\[float\] \| None"),
        ("rates", "0.5", r".*Sequence\[float\] \| None"),
        ("rates", [0.5, "1"], r".*Sequence\[float\] \| None"),
    ],
)
def test_wrong_types_are_named(name: str, value: object, takes: str) -> None:
    with pytest.raises(OverpaintError, match=rf"^here\.{name}=.* is not of the right type: it takes {takes}$"):
        checked_arguments(_typed, {name: value}, "here")


def test_an_unknown_argument_is_named() -> None:
    with pytest.raises(OverpaintError, match=r"no setting 'here\.counts'; did you mean count\?"):
        checked_arguments(_typed, {"counts": 3}, "here")


def test_instantiate_calls_the_target_with_the_section() -> None:
    section = _train("data.train_count=5", "data.image_size=64")["data"]
    data = instantiate(section, "data", seed=3, channels=1)
    assert isinstance(data, DigitsData)
    assert (data.counts["train"], data.input_size, data.seed, data.channels) == (5, (64, 64), 3, 1)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.train_count=many", r"data\.train_count=many is not of the right type: it takes a number"),
        (
            "data.image_size=1.5",
            r"data\.image_size=1\.5 is not of the right type: it takes int \| Sequence\[int\] \| None$",
        ),
        ("data.target=overpaint.data.digits.Digits", r"data\.target=overpaint\.data\.digits\.Digits can't be imported"),
        ("data.target=overpaint.nowhere.Digits", r"data\.target=.* can't be imported: No module named"),
        ("data.target=digits", r"data\.target=digits can't be imported"),
        (
            "data.target=subprocess.Popen",
            r"data\.target=subprocess\.Popen can't be imported: it is no class of over",
        ),
        ("data.target=overpaint.core.files.write_json", r"can't be imported: it is no class of overpaint"),
    ],
)
def test_instantiate_names_a_wrong_entry(word: str, message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        instantiate(_train(word)["data"], "data")


def test_a_required_setting_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(OverpaintError, match=r"^data\.root must be given$"):
        instantiate(_train("data=folder")["data"], "data")
    with pytest.raises(OverpaintError, match=r"^data\.root must be given$"):
        instantiate({"target": "overpaint.data.folder.FolderData", "name": "folder"}, "data")
    assert isinstance(instantiate(_train("data=folder", f"data.root={tmp_path}")["data"], "data"), FolderData)


def test_instantiate_leaves_the_section_alone(tmp_path: Path) -> None:
    section = _explain(tmp_path)["saliency"]["rise"]
    before = dict(section)
    assert isinstance(instantiate(section, "saliency.rise", queries=16), Rise)
    assert section == before


@pytest.mark.parametrize(("group", "name"), SHIPPED)
def test_every_setting_of_a_file_is_an_argument_and_fits(group: str, name: str) -> None:
    shipped = OmegaConf.create({"seed": 0, "section": OmegaConf.load(CONFIGS / group / f"{name}.yaml")})
    section: Any = OmegaConf.to_container(shipped.section, resolve=True)
    module, _, attribute = section["target"].rpartition(".")
    target = getattr(importlib.import_module(module), attribute)
    parameters = set(inspect.signature(target).parameters)
    own = {key: value for key, value in section.items() if key not in USED_ELSEWHERE[group]}
    assert set(own) <= parameters
    assert not parameters & USED_ELSEWHERE[group]
    given = {key: value for key, value in GIVEN_BY_THE_PROGRAM.items() if key in parameters}
    assert set(checked_arguments(target, own | given, name)) == set(own) | set(given)


@pytest.mark.parametrize(("group", "name"), SHIPPED)
def test_every_file_can_be_chosen(group: str, name: str, tmp_path: Path) -> None:
    words = {"saliency": "methods", "metrics": "metrics", "probes": "probes"}
    settings = _explain(tmp_path, f"{words[group]}={name}") if group in words else _train(f"{group}={name}")
    assert settings["data"]["name"] == name if group == "data" else list(settings[group]) == [name]


@pytest.mark.parametrize(
    ("section", "targets"),
    [
        ("region", [RegionRule]),
        ("search", [LatentSearch]),
        ("variants", [Inpainter]),
        ("logger", [start_run, log_report]),
    ],
)
def test_sections_of_explaining_are_arguments(tmp_path: Path, section: str, targets: list[Any]) -> None:
    own = _explain(tmp_path)[section]
    assert set(own) <= {name for target in targets for name in inspect.signature(target).parameters}


@pytest.mark.parametrize("entry", ["train", "explain"])
def test_trainer_settings_are_lightnings(entry: str) -> None:
    own = load_settings(CONFIGS, entry, [])["trainer"]
    assert checked_arguments(L.Trainer, own, "trainer") == own
