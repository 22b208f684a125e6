"""Optimisers and schedules from settings: torch's own, twins of those made by hand, and what is refused."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from overpaint.core.errors import OverpaintError
from overpaint.training.dcgan import DCGANModule
from overpaint.training.optimisers import make_optimizer, make_scheduler
from overpaint.training.recipes import RECIPES


def _weight() -> nn.Parameter:
    return nn.Parameter(torch.ones(3, 2))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("AdamW", {"lr": 3e-3, "weight_decay": 0.05}),
        ("Adam", {"lr": 1, "betas": (0.5, 0.9)}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        ("RMSprop", {}),
    ],
)
def test_an_optimiser_is_torchs_own(name: str, settings: dict[str, Any]) -> None:
    theirs, ours = _weight(), _weight()
    by_hand = getattr(torch.optim, name)([theirs], **settings)
    made = make_optimizer({"target": f"torch.optim.{name}", **settings}, [ours], "optimizer")
    assert type(made) is type(by_hand)
    assert made.defaults == by_hand.defaults
    for weight, optimizer in ((theirs, by_hand), (ours, made)):
        for _ in range(3):
            optimizer.zero_grad()
            weight.pow(3).sum().backward()
            optimizer.step()
    assert torch.equal(theirs, ours)


def _rates(optimizer: torch.optim.Optimizer, scheduler: LRScheduler, steps: int) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("name", "settings", "by_hand"),
    [
        ("OneCycleLR", {"max_lr": 0.3, "total_steps": None}, {"max_lr": 0.3, "total_steps": 20}),
        ("OneCycleLR", {"max_lr": 0.3, "total_steps": 50}, {"max_lr": 0.3, "total_steps": 50}),
        ("CosineAnnealingLR", {"T_max": None}, {"T_max": 20}),
        ("MultiStepLR", {"milestones": [5, 9]}, {"milestones": [5, 9]}),
        ("ConstantLR", {"factor": 1}, {"factor": 1}),
    ],
)
def test_a_schedule_is_torchs_own_over_the_runs_steps(
    name: str, settings: dict[str, Any], by_hand: dict[str, Any]
) -> None:
    mine, theirs = (torch.optim.SGD([_weight()], 0.1) for _ in range(2))
    made = make_scheduler({"target": f"torch.optim.lr_scheduler.{name}", **settings}, mine, 20, "scheduler")
    expected = _rates(theirs, getattr(torch.optim.lr_scheduler, name)(theirs, **by_hand), 20)
    assert _rates(mine, made, 20) == expected
    assert (len(set(expected)) == 1) == (name == "ConstantLR")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"a\.target must be given"),
        ({"target": "torch.nn.Linear"}, "a.target=torch.nn.Linear can't be imported: it is no class of torch.optim or"),
        ({"target": "os.system"}, "can't be imported"),
        ({"target": "torch.optim.Adan"}, "a.target=torch.optim.Adan can't be imported"),
        ({"target": "torch.optim.lr_scheduler.StepLR"}, "no setting 'a.params'"),
        ({"target": "overpaint.training.ema.ExponentialMovingAverage"}, "no setting 'a.params'"),
        ({"target": "torch.optim.LBFGS"}, "a.target=torch.optim.LBFGS is no Optimizer that fits"),
        ({"target": "torch.optim.SparseAdam"}, "is no Optimizer that fits"),
        ({"target": "torch.optim.Adam", "momentum": 0.9}, "no setting 'a.momentum'"),
        ({"target": "torch.optim.Adam", "lr": "high"}, "a.lr=high is not of the right type: it takes float"),
        ({"target": "torch.optim.Adam", "lr": -1}, "a does not fit torch.optim.Adam: Invalid learning rate"),
        ({"target": "torch.optim.Adam", "lr": 0}, "a.lr=0.0 must be above 0"),
        ({"target": "torch.optim.Adam", "betas": [0.9, 1.5]}, "a does not fit torch.optim.Adam: Invalid beta"),
        ({"target": "torch.optim.AdamW", "weight_decay": -1}, "a does not fit torch.optim.AdamW: Invalid weight_decay"),
    ],
)
def test_a_wrong_optimiser_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        make_optimizer(settings, [_weight()], "a")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "torch.optim.lr_scheduler.ReduceLROnPlateau"}, "is no LRScheduler that fits"),
        ({"target": "torch.optim.lr_scheduler.CosineAnnealingLR"}, "a.T_max must be given"),
        ({"target": "torch.optim.lr_scheduler.StepLR", "step_size": 2, "gama": 1}, "no setting 'a.gama'"),
        (
            {"target": "torch.optim.lr_scheduler.OneCycleLR", "max_lr": 1, "total_steps": -3},
            "a does not fit .*OneCycle",
        ),
        ({"target": "torch.optim.lr_scheduler.LambdaLR", "lr_lambda": [1, 2]}, "a does not fit .*LambdaLR"),
    ],
)
def test_a_wrong_schedule_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        make_scheduler(settings, torch.optim.SGD([_weight()], 0.1), 20, "a")


def test_settings_replace_the_recipes() -> None:
    recipe = RECIPES["stable"]
    adam = {"target": "torch.optim.Adam", "lr": 2e-3, "betas": (0.0, 0.99), "foreach": True}
    assert recipe.optimizer(2e-3, {}) == recipe.optimizer(2e-3, {"target": None, "lr": None, "betas": None}) == adam
    assert recipe.optimizer(2e-3, {"betas": [0.5, 0.9], "lr": 0.1}) == adam | {"betas": [0.5, 0.9], "lr": 0.1}
    other = {"target": "torch.optim.RMSprop", "lr": None, "alpha": 0.9}
    assert recipe.optimizer(2e-3, other) == {"target": "torch.optim.RMSprop", "lr": 2e-3, "alpha": 0.9}


def test_each_network_of_the_dcgan_has_its_own_optimiser() -> None:
    own = {"target": "torch.optim.RMSprop", "alpha": 0.9}
    module = DCGANModule(base_channels=2, encoder=True, generator_optimizer={"lr": 0.1}, discriminator_optimizer=own)
    generator, discriminator, encoder = module.make_optimizers()
    assert (type(generator), generator.defaults["lr"]) == (torch.optim.Adam, 0.1)
    assert generator.defaults["betas"] == (0.0, 0.99)
    assert (type(discriminator), discriminator.defaults["lr"]) == (torch.optim.RMSprop, 1.5e-3)
    assert discriminator.defaults["alpha"] == 0.9
    assert (type(encoder), encoder.defaults["lr"]) == (torch.optim.Adam, 1e-3)
    networks = (module.generator, module.discriminator, module.encoder)
    for optimizer, network in zip((generator, discriminator, encoder), networks, strict=True):
        assert network is not None
        assert {id(p) for p in optimizer.param_groups[0]["params"]} == {id(p) for p in network.parameters()}
    with pytest.raises(OverpaintError, match=r"no setting 'model\.dcgan\.discriminator_optimizer\.betas'"):
        DCGANModule(base_channels=2, discriminator_optimizer={"target": "torch.optim.SGD", "betas": [0.5, 0.9]})
