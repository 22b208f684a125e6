"""Does the DCGAN train faster, and to better samples, than a plain loop? Run by hand after ``python train.py``.

    python tests/benchmarks/training.py [epochs] [batch size] [the plain loop's workers] [stretch]

The plain loop is written after PyTorch's DCGAN example: a Dataset with a transform for each image, a DataLoader, binary
cross-entropy with hard labels, the discriminator's real and fake passes with a backward pass each, Adam at 2e-4 with
betas .5 and .999, ``.item()`` of three numbers in each step, 64 images in a batch. It has the networks of
``recipe=radford`` and runs in a process of its own, as its users run it (the memory allocator as it is); ours runs in
the Trainer. The two take turns after each stretch of steps, one waiting while the other works, so that a busy machine
slows both down. The example's DataLoader has two workers; on two cores none at all is faster, and the default here.

- speed: images a second with ``recipe=radford``, whose arithmetic is the plain loop's; medians over the stretches;
- quality: ``recipe=stable``, told the classes, for the epochs given (0 leaves it out) and the plain loop for as many
  seconds, everything included; the samples of both (the plain loop's as in the example: the generator in training mode)
  are measured with the classifier of ``outputs/digits``.
"""

import multiprocessing
import statistics
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torchvision.transforms.v2.functional as T
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from overpaint.classifiers.network import load_classifier
from overpaint.cli.allocator import keep_freed_memory
from overpaint.data.digits import DigitsData
from overpaint.data.split import class_shares
from overpaint.networks.dcgan import Discriminator, Generator, initialise_normal
from overpaint.training.dcgan import DCGANModule
from overpaint.training.generation_metrics import generation_metrics

LATENTS, SAMPLES = 64, 2000


class ImageBatch(Dataset[Tensor]):
    """The digits one by one, as pictures that are made to tensors when they are asked for."""

    def __init__(self) -> None:
        data = DigitsData()
        data.setup("fit")
        self.pixels = data.train.images.permute(0, 2, 3, 1).numpy()

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        return T.to_dtype(T.pil_to_tensor(Image.fromarray(self.pixels[index])), torch.float32, scale=True)


def plain_steps(generator: Generator, batch_size: int, workers: int) -> Iterator[None]:
    """Trains as PyTorch's example does, a step at a time, without end."""
    discriminator = Discriminator(normalisation="batch")
    initialise_normal(generator)
    initialise_normal(discriminator)
    loader = DataLoader(ImageBatch(), batch_size=batch_size, shuffle=True, drop_last=True, num_workers=workers)
    criterion = nn.BCEWithLogitsLoss()
    for_discriminator = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999))
    for_generator = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999))
    while True:
        for images in loader:
            discriminator.zero_grad()
            output = discriminator(images)
            loss_of_real = criterion(output, torch.ones(len(images)))
            loss_of_real.backward()
            score_of_real = output.mean().item()
            fake = generator(torch.randn(len(images), LATENTS))
            output = discriminator(fake.detach())
            loss_of_fake = criterion(output, torch.zeros(len(images)))
            loss_of_fake.backward()
            losses = [(loss_of_real + loss_of_fake).item(), score_of_real, output.mean().item()]
            for_discriminator.step()
            generator.zero_grad()
            output = discriminator(fake)
            loss = criterion(output, torch.ones(len(images)))
            loss.backward()
            losses += [loss.item(), output.mean().item()]
            for_generator.step()
            yield


def plain_process(asked: Connection, batch_size: int, workers: int) -> None:
    """Trains for the steps or the seconds that it is asked for, and tells how long it took; then gives its samples."""
    torch.manual_seed(0)
    generator = Generator(latent_dim=LATENTS)
    steps = plain_steps(generator, batch_size, workers)
    while (order := asked.recv()) is not None:
        start, done = time.perf_counter(), 0
        while done < order.get("steps", 10**9) and time.perf_counter() - start < order.get("seconds", 10**9):
            next(steps)
            done += 1
        asked.send((time.perf_counter() - start, done))
    with torch.no_grad():
        parts = [generator(torch.randn(100, LATENTS)) for _ in range(SAMPLES // 100)]
    asked.send(torch.cat(parts).numpy())


class TakeTurns(L.Callback):
    """Lets the plain loop train after each stretch of steps, as many of them or as long.

    Attributes:
        ours: Seconds of each stretch of ours.
        theirs: Seconds of each stretch of the plain loop.
        their_steps: How many steps the plain loop made in all.
    """

    def __init__(self, partner: Connection, stretch: int, equal_time: bool) -> None:
        self.partner, self.stretch, self.equal_time = partner, stretch, equal_time
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self.their_steps, self.start = 0, 0.0

    def on_train_start(self, *_: Any) -> None:
        """Starts the clock."""
        self.start = time.perf_counter()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, *_: Any) -> None:
        """Hands over at the end of a stretch."""
        if int(pl_module.steps) % self.stretch == 0:
            self._hand_over()

    def on_train_end(self, *_: Any) -> None:
        """Evens out what is left of the last stretch."""
        if self.equal_time:
            self._hand_over()

    def _hand_over(self) -> None:
        self.ours.append(time.perf_counter() - self.start)
        behind = sum(self.ours) - sum(self.theirs)
        self.partner.send({"seconds": behind} if self.equal_time else {"steps": self.stretch})
        spent, done = self.partner.recv()
        self.theirs.append(spent)
        self.their_steps += done
        self.start = time.perf_counter()


def train_both(
    recipe: str, epochs: int, batch_size: int, workers: int, stretch: int, equal_time: bool
) -> tuple[DCGANModule, TakeTurns, Tensor]:
    """Trains ours and the plain loop in turns; returns the plain loop's samples last."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=plain_process, args=(theirs, batch_size, workers))
    process.start()
    turns = TakeTurns(ours, stretch, equal_time)
    data = DigitsData(batch_size=batch_size)
    data.setup("fit")
    told = class_shares(data.train.labels, len(data.class_names))
    module = DCGANModule(recipe=recipe, latent_dim=LATENTS, class_shares=told)  # type: ignore[arg-type]
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=[turns],
        limit_val_batches=0,
    )
    trainer.fit(module, datamodule=data)
    ours.send(None)
    samples = torch.from_numpy(ours.recv())
    process.join()
    return module, turns, samples


def main() -> None:
    """Prints both tables."""
    keep_freed_memory()
    words = [*sys.argv[1:], *("10", "64", "0", "25")[len(sys.argv) - 1 :]]
    epochs, batch_size, workers, stretch = map(int, words)
    _, turns, _ = train_both("radford", 1, batch_size, workers, stretch, equal_time=False)
    ours, theirs = (stretch * batch_size / statistics.median(t[1:]) for t in (turns.ours, turns.theirs))
    ratios = [theirs / ours for ours, theirs in zip(turns.ours[1:], turns.theirs[1:], strict=True)]
    speed = Table("training at equal arithmetic", "images a second", "ratio")
    speed.add_row("plain loop", f"{theirs:.0f}", "1")
    speed.add_row("recipe=radford", f"{ours:.0f}", f"{statistics.median(ratios):.2f}")
    Console(width=120).print(speed)
    if not epochs:
        return
    module, turns, plain = train_both("stable", epochs, batch_size, workers, stretch, equal_time=True)
    data, evaluator = DigitsData(), load_classifier(Path("outputs/digits/classifier.ckpt"))
    data.setup("fit")
    names = ("kid", "fid_like", "precision", "recall", "coverage", "confident", "least_fraction")
    quality = Table("after equal time", "seconds", "steps", *names)
    rows = {
        "plain loop": (turns.theirs, turns.their_steps, plain),
        "recipe=stable": (turns.ours, int(module.steps), module.sample(SAMPLES)),
    }
    for name, (seconds, steps, samples) in rows.items():
        found = generation_metrics(data.val.images.float() / 255, samples, evaluator)
        quality.add_row(name, f"{sum(seconds):.0f}", str(steps), *[f"{found[n]:.3f}" for n in names])
    Console(width=120).print(quality)


if __name__ == "__main__":
    main()
