"""Rules for the way back through a ReLU: guided backpropagation and deconvnet."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from overpaint.core.errors import OverpaintError

Rule = Literal["guided", "deconvnet"]

PLAIN = (F.relu, torch.relu, Tensor.relu, torch.ops.aten.relu, torch.ops.aten.relu.default)
IN_PLACE = (torch.relu_, Tensor.relu_, torch.ops.aten.relu_, torch.ops.aten.relu_.default)
"""Every way in which a network can call a ReLU; ``nn.ReLU`` calls ``F.relu``, an exported program ``torch.ops``."""


class _RuledReLU(torch.autograd.Function):
    """A ReLU whose gradient follows a rule; each call of it by itself, whichever module made it."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, in_place: bool, rule: Rule) -> Tensor:
        if in_place:
            ctx.mark_dirty(features)
        result = features.clamp_(min=0) if in_place else features.clamp(min=0)
        if rule == "guided":
            ctx.save_for_backward(result > 0)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        raised = gradients[0].clamp(min=0)
        return (raised * ctx.saved_tensors[0] if ctx.saved_tensors else raised), None, None


class _RuleMode(TorchFunctionMode):
    """Replaces every ReLU that is called while it is on, and counts them."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule, self.count = rule, 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func not in PLAIN and func not in IN_PLACE:
            return func(*args, **kwargs)
        self.count += 1
        features = args[0] if args else kwargs["input"]
        in_place = func in IN_PLACE or bool(args[1] if len(args) > 1 else kwargs.get("inplace", False))
        return _RuledReLU.apply(features, in_place, self.rule)


@contextmanager
def relu_rule(rule: Rule, network: nn.Module, method: str) -> Iterator[None]:
    """Changes the gradient of every ReLU of the passes inside.

    With ``g`` the gradient that arrives at a ReLU of ``x``, the plain gradient passes ``g · [x > 0]`` on;

    - ``guided`` (Springenberg et al., ICLR workshop 2015, section 3.4): ``max(g, 0) · [x > 0]``;
    - ``deconvnet`` (Zeiler & Fergus, ECCV 2014, in the form of Springenberg's equations): ``max(g, 0)``.

    The calls are replaced, not the modules: functional, in-place and shared ReLUs are all caught, and nothing is left
    in the network. Smooth functions (GELU, SiLU, Hardswish) and ReLU6 keep their plain gradient, as in captum.

    Args:
        rule: The rule.
        network: The network whose passes are made inside.
        method: The method's name, for errors.

    Raises:
        OverpaintError: If no ReLU was called, or they hide in TorchScript: the result would silently be the gradient.
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in network.modules()):
        raise OverpaintError(f"{method} changes the ReLUs of a network, but those of TorchScript can't be reached")
    with _RuleMode(rule) as mode:
        yield
    if not mode.count:
        raise OverpaintError(
            f"{method} changes what ReLUs pass back, but the classifier's network has none, so its map would be the "
            "plain gradient; use gradient, smooth_grad, integrated_gradients or grad_cam"
        )
