"""Trains a DCGAN on the target domain."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import lightning as L
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.bounds import Count, ImageSize, Seed, ShareBelowAll, ShareOrNone
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.resize import resize
from overpaint.core.scale import scale_from_settings
from overpaint.core.sizes import as_size
from overpaint.core.types import Batch, Images, Latents, Targets
from overpaint.core.value_range import within_range
from overpaint.networks.checkpoint import FORMAT_KEY
from overpaint.networks.dcgan import Generator
from overpaint.networks.dimensions import channels_last
from overpaint.training.dcgan_networks import make_networks
from overpaint.training.ema import ExponentialMovingAverage
from overpaint.training.encoder_loss import ENCODER_OPTIMIZER, encoder_loss
from overpaint.training.epoch_means import EpochMeans
from overpaint.training.gan_losses import gradient_penalties
from overpaint.training.generation_metrics import generation_metrics, warn_of_unmeasured
from overpaint.training.optimisers import make_optimizer
from overpaint.training.recipes import recipe_for

EVALUATED_SAMPLES = 2000

SHOWN_EVERY = 10
"""Steps between two updates of the losses beside the progress bar."""


@checked_settings
class DCGANModule(L.LightningModule):
    """A generator and a discriminator against each other, with an average of the generator's weights.

    ``recipe="radford"`` is the paper's (Radford, Metz & Chintala, 2015) with one-sided label smoothing;
    ``recipe="stable"`` is the default, chosen by measurement on the bundled domain (README, "The generator").

    Args:
        recipe: ``stable`` or ``radford``.
        image_size: Height and width of the images, or the side of a square: 32, 64, 128, 224, [96, 160], see
            `start_and_doublings`; of series their length in a list, which can be any.
        channels: Of the images: 1, 3, or how many bands they have; those of the series.
        latent_dim: Length of a latent.
        base_channels: Channels of the generator's last and the discriminator's first hidden layer.
        generator_optimizer: Replaces settings of the recipe's, see `GanRecipe.optimizer`.
        discriminator_optimizer: The same for the discriminator.
        ema_decay: Decay of the exponential moving average of the generator's weights.
        encoder: Whether an encoder is trained beside them, from whose guesses the latent search can start. The
            generator and the discriminator come out the same.
        conditional: Whether both networks are told the classes of the training images, see `Generator` and
            `Discriminator`; a painted image is compared with a real one of its class. None: as the recipe has it.
        class_names: Of the training images; the checkpoint keeps them.
        class_shares: Share of each class in the training images; empty: they have no classes.
        scale: The units of series, see `SeriesScale.settings`; the checkpoint keeps them.
        evaluator: The domain's classifier, for measures of the samples; None leaves them out.
        seed: Seed of the weights and latents.

    Raises:
        OverpaintError: If a setting is out of its range, or training is conditional without classes.
    """

    def __init__(
        self,
        recipe: Literal["stable", "radford"] = "stable",
        image_size: ImageSize = 32,
        channels: Count = 3,
        latent_dim: Count = 64,
        base_channels: Count = 32,
        generator_optimizer: Mapping[str, Any] | None = None,
        discriminator_optimizer: Mapping[str, Any] | None = None,
        ema_decay: ShareBelowAll = 0.999,
        encoder: bool = False,
        conditional: bool | None = None,
        class_names: Sequence[str] = (),
        class_shares: Sequence[ShareOrNone] = (),
        scale: Mapping[str, Sequence[float]] | None = None,
        evaluator: NetworkClassifier | None = None,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["evaluator"], logger=False)
        self.automatic_optimization = False
        size = as_size(image_size, None, "model.dcgan.image_size")
        self.recipe = recipe_for(recipe, size)
        self.class_names, self.scale, self.seed = list(class_names), scale_from_settings(scale), seed
        if conditional and not class_shares:
            raise OverpaintError("model.dcgan.conditional=true needs data of two or more classes, each with its label")
        told = class_shares if (self.recipe.conditional if conditional is None else conditional) else ()
        self.generator, self.discriminator, self.encoder = make_networks(
            self.recipe, size, channels, latent_dim, base_channels, told, encoder, seed
        )
        self.to(memory_format=torch.channels_last)
        self.ema = ExponentialMovingAverage(self.generator, ema_decay).eval().requires_grad_(False)
        self.optimizer_settings = {
            "generator": self.recipe.optimizer(self.recipe.generator_rate, generator_optimizer or {}),
            "discriminator": self.recipe.optimizer(self.recipe.discriminator_rate, discriminator_optimizer or {}),
            **({"encoder": ENCODER_OPTIMIZER} if encoder else {}),
        }
        self.make_optimizers()  # a wrong setting must show before training
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.rng = self._encoder_rng = torch.Generator()
        self._evaluator = [evaluator] if evaluator else []  # in a list, so that it is no part of this module's state
        self._real: list[Images] = []
        self._has_warned = False
        self._step = 0  # of the whole run; the buffer keeps it in checkpoints, and asking that would wait for a GPU
        self._means = EpochMeans()

    steps: Tensor

    @property
    def averaged_generator(self) -> Generator:
        """The average of the generator's weights, which paints better than the last step's."""
        return cast(Generator, self.ema.module)

    def sample(self, count: int, stream: int = 0) -> Images:
        """Returns ``count`` images of the averaged generator; the same ones for the same ``stream``."""
        rng = torch.Generator().manual_seed(1_000_003 * self.seed + 7919 * stream + 1)
        return self.paint(self.averaged_generator.sample_latents(count, rng))

    @torch.no_grad()
    def paint(self, latents: Latents) -> Images:
        """Returns the averaged generator's images of latents, in parts and in float32 whatever it is trained in."""
        latents = latents.to(next(self.averaged_generator.parameters()))
        return torch.cat([self.averaged_generator(part) for part in latents.split(256)]).float()

    def on_train_epoch_start(self) -> None:
        """Starts the epoch's random stream, so that a resumed run draws what an uninterrupted one would.

        Each device draws its own.
        """
        self.ema.eval()
        self._step, self._means = int(self.steps), EpochMeans()
        own = 1_000_003 * self.seed + 7 * self.current_epoch + 104_729 * self.global_rank
        self.rng = torch.Generator(self.device).manual_seed(own + 2)
        self._encoder_rng = torch.Generator(self.device).manual_seed(own + 3)

    def at_own_size(self, images: Images) -> Images:
        """Returns images at the size that the generator paints."""
        size = self.generator.output_size
        if tuple(images.shape[2:]) != size:
            images = within_range(resize(images, size), len(size))
        return channels_last(images)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Makes one step of the discriminator and one of the generator, on the same fakes, then one of the encoder."""
        real = self.at_own_size(batch.images)
        fake = self.generator(self.generator.sample_latents_of(batch.labels, self.rng))
        for_generator, for_discriminator, *for_encoder = cast(list[LightningOptimizer], self.optimizers())
        with self.toggled_optimizer(for_discriminator):
            on_real, measured = self._discriminator_step(real, fake.detach(), batch.labels, for_discriminator)
        with self.toggled_optimizer(for_generator):
            loss = self.recipe.generator_loss(on_real, self.discriminator(fake, batch.labels))
            self._stop_unless_finite(loss, "generator")
            self._update(for_generator, loss)
        self.steps += 1
        self._step += 1
        self.ema.update_parameters(self.generator)
        measured["generator_loss"] = loss.detach()
        if self.encoder is not None:
            loss = encoder_loss(self.encoder, self.averaged_generator, len(real), self._encoder_rng)
            self._stop_unless_finite(loss, "encoder")
            self._update(for_encoder[0], loss)
            measured["encoder_loss"] = loss.detach()
        for scheduler in cast(list[LRScheduler], self.lr_schedulers()):
            scheduler.step()
        self._log(measured)

    def _discriminator_step(
        self, real: Images, fake: Images, labels: Targets, optimiser: LightningOptimizer
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the logits of the real images, from before the step, and what is to be logged."""
        on_real: Tensor = self.discriminator(real, labels)
        on_fake: Tensor = self.discriminator(fake, labels)
        loss = self.recipe.discriminator_loss(on_real, on_fake)
        scores = on_real.detach().sigmoid().mean(), on_fake.detach().sigmoid().mean()
        measured = {"discriminator_loss": loss.detach(), "score_of_real": scores[0], "score_of_fake": scores[1]}
        every = self.recipe.penalty_every
        if self.recipe.penalty and self._step % every == 0:
            penalty = gradient_penalties(self.discriminator, real, fake, labels)
            measured["gradient_penalty"] = penalty.detach()
            loss = loss + self.recipe.penalty / 2 * every * penalty
        self._stop_unless_finite(loss, "discriminator")
        self._update(optimiser, loss)
        return on_real.detach(), measured

    def _update(self, optimiser: LightningOptimizer, loss: Tensor) -> None:
        optimiser.zero_grad()
        self.manual_backward(loss)
        optimiser.step()

    def _stop_unless_finite(self, loss: Tensor, whose: str) -> None:
        if not bool(loss.isfinite()):
            raise OverpaintError(
                f"the {whose}'s loss is {float(loss.detach())} at step {self._step} in epoch "
                f"{self.current_epoch}; the checkpoint of the epoch before is kept; try smaller rates than "
                f"model.dcgan.generator_optimizer.lr={self.optimizer_settings['generator']['lr']} and "
                f"model.dcgan.discriminator_optimizer.lr={self.optimizer_settings['discriminator']['lr']}"
            )

    def _log(self, measured: Mapping[str, Tensor]) -> None:
        """Logs the step's numbers when it is time to, and their means in the epoch's last step."""
        self._means.add(measured)
        if self._step % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self.log_dict({f"dcgan/{name}_step": v for name, v in measured.items()}, batch_size=1, sync_dist=True)
        if self._step % SHOWN_EVERY == 0:
            short = {"D": measured["discriminator_loss"], "G": measured["generator_loss"]}
            self.log_dict(short, prog_bar=True, logger=False, batch_size=1)
        if self.trainer.is_last_batch:
            means = {f"dcgan/{name}_epoch": mean for name, mean in self._means.means().items()}
            self.log_dict(means, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keeps real images to compare samples with."""
        if sum(map(len, self._real)) < EVALUATED_SAMPLES:
            self._real.append(self.at_own_size(batch.images.float()))

    def on_validation_epoch_end(self) -> None:
        """Compares samples with the real images of all devices, evaluated by the domain's classifier."""
        gathered = self.all_gather(torch.cat(self._real))
        assert isinstance(gathered, Tensor)
        real, self._real = (
            gathered.reshape(-1, self.generator.channels, *self.generator.output_size)[:EVALUATED_SAMPLES],
            [],
        )
        if self._evaluator and self.global_rank == 0 and not self._has_warned:
            self._has_warned = warn_of_unmeasured(len(real))
        for evaluator in self._evaluator:
            evaluator.to(self.device)
            metrics = generation_metrics(real, self.sample(EVALUATED_SAMPLES, stream=1), evaluator)
            self.log_dict({f"samples/{name}": value for name, value in metrics.items()}, sync_dist=True)

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LRScheduler]]:
        """Returns an optimiser and a schedule for each network: generator, discriminator, encoder if there is one."""
        optimizers, steps = self.make_optimizers(), max(1, int(self.trainer.estimated_stepping_batches))
        return optimizers, [LambdaLR(opt, lambda step: self.recipe.rate_factor(step, steps)) for opt in optimizers]

    def make_optimizers(self) -> list[Optimizer]:
        """Returns the optimisers alone, which need no Trainer."""
        networks = [network for network in (self.generator, self.discriminator, self.encoder) if network is not None]
        return [
            make_optimizer(settings, network.parameters(), f"model.dcgan.{name}_optimizer")
            for network, (name, settings) in zip(networks, self.optimizer_settings.items(), strict=True)
        ]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what is needed to build the networks again."""
        networks = {"generator": self.generator, "discriminator": self.discriminator, "encoder": self.encoder}
        settings: dict[str, Any] = {name: net.settings for name, net in networks.items() if net is not None}
        settings["class_names"] = self.class_names
        if self.scale is not None:
            settings["scale"] = self.scale.settings
        checkpoint[FORMAT_KEY] = {"kind": "dcgan", "settings": settings}
