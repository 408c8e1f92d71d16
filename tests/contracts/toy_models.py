"""A latent model small enough to compute by hand."""

import numpy as np
import torch
from diffusers import DDPMScheduler

from tgap.finetuners.base import PromptedImages
from tgap.generators.latent.base import LatentModel
from tgap.generators.latent.noising import Diffusion


class ToyUNet(torch.nn.Module):
    """Mixes channels, adds the time and the text."""

    def __init__(self):
        super().__init__()
        self.mix = torch.nn.Conv2d(2, 2, 1)
        self.text = torch.nn.Linear(3, 2)

    def forward(self, latents, timesteps, encoder_hidden_states):
        text = self.text(encoder_hidden_states.mean(dim=1)) * (timesteps / 1000)[:, None]
        return self.mix(latents) + text[:, :, None, None]


class ToyEncoder(torch.nn.Module):
    """A vector for each prompt, four times."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(3), requires_grad=False)

    def forward(self, prompts):
        values = torch.tensor([[len(p), p.count("a"), 1.0] for p in prompts]) * self.scale
        return values[:, None, :].expand(-1, 4, -1)


class ToyModel(LatentModel):
    """Latents are an image's grey levels and their negatives; draws are its mean prediction."""

    device = torch.device("cpu")

    def __init__(self, denoiser=None, encoder=None, prediction_type="epsilon"):
        if denoiser is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                denoiser = ToyUNet().requires_grad_(False)
        self.denoiser = denoiser
        self.text_encoders = (ToyEncoder() if encoder is None else encoder,)
        self.noising = Diffusion(DDPMScheduler(prediction_type=prediction_type))
        self.kind = prediction_type
        self.calls = {"moments": 0, "prompts": [], "drawn": [], "passes": 0}

    def moments(self, images):
        self.calls["moments"] += 1
        mean = torch.tensor(images[..., 0] / 127.5 - 1, dtype=torch.float32)
        mean = torch.stack([mean, -mean], dim=1)
        return torch.stack([mean, torch.full_like(mean, 0.1)], dim=1)

    def decode(self, latents):
        grey = (latents[:, 0] + 1) * 127.5
        return grey.clamp(0, 255).round().to(torch.uint8).numpy()[..., None]

    def condition(self, prompts):
        self.calls["prompts"] += list(prompts)
        return {"encoder_hidden_states": self.text_encoders[0](prompts)}

    def predict(self, noisy, timesteps, conditioning):
        self.calls["passes"] += len(noisy)
        return self.denoiser(noisy, timesteps, **conditioning)

    def with_parts(self, denoiser=None, text_encoders=None):
        (encoder,) = text_encoders or self.text_encoders
        made = ToyModel(self.denoiser if denoiser is None else denoiser, encoder, self.kind)
        made.calls = self.calls
        return made

    def sample(self, prompts, seeds, sampler, on_images=lambda done: None):
        """Noise of the seed, brighter the longer the prompt is."""
        self.calls["drawn"] += list(prompts)
        drawn = [
            np.random.default_rng(seed).integers(0, 128, (4, 4, 1)) + min(127, 20 * len(prompt))
            for prompt, seed in zip(prompts, seeds, strict=True)
        ]
        return np.array(drawn, dtype=np.uint8).reshape(len(prompts), 4, 4, 1)

    def save(self, folder):
        raise NotImplementedError


def weights_of(model):
    return torch.cat([p.detach().flatten() for p in model.denoiser.parameters()])


def toy_images(count, prompts=("a", "bb"), seed=0, weights=None):
    """Images whose label is the position of their prompt."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 1)).astype(np.uint8)
    labels = np.arange(count) % len(prompts)
    texts = tuple(prompts[label] for label in labels)
    return PromptedImages(pixels, texts, np.ones(count) if weights is None else weights, labels)
