"""Run by the Python of pythae's environment: an epoch a line on the input, its seconds out."""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor, nn

PIXELS, HIDDEN, LATENTS, BATCH, RATE = 784, 400, 20, 128, 1e-3


class Encoder(BaseEncoder):
    """784-400, then means and log-variances of 20."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(PIXELS, HIDDEN)
        self.mean, self.log_var = nn.Linear(HIDDEN, LATENTS), nn.Linear(HIDDEN, LATENTS)

    def forward(self, images: Tensor) -> ModelOutput:
        """Embed images."""
        hidden = torch.relu(self.hidden(images.flatten(1)))
        return ModelOutput(embedding=self.mean(hidden), log_covariance=self.log_var(hidden))


class Decoder(BaseDecoder):
    """20-400-784."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(LATENTS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, PIXELS), nn.Sigmoid()
        )

    def forward(self, latents: Tensor) -> ModelOutput:
        """Decode to pixels."""
        return ModelOutput(reconstruction=self.layers(latents).view(-1, 1, 28, 28))


def main(folder: Path, threads: int) -> None:
    """Train on the images of a folder, an epoch whenever a line comes."""
    torch.set_num_threads(threads)
    images = torch.from_numpy(np.load(folder / "images.npy")).float() / 255
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENTS, reconstruction_loss="bce")
    trainer = BaseTrainer(
        VAE(config, encoder=Encoder(), decoder=Decoder()),
        BaseDataset(images, torch.zeros(len(images))),
        training_config=BaseTrainerConfig(
            output_dir=str(folder / "out"),
            learning_rate=RATE,
            per_device_train_batch_size=BATCH,
            no_cuda=True,
        ),
    )
    trainer.prepare_training()
    answer = sys.stdout
    sys.stdout = sys.stderr
    for number, _ in enumerate(sys.stdin, start=1):
        start = time.perf_counter()
        trainer.train_step(number)
        print(time.perf_counter() - start, file=answer, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
