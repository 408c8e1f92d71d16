"""Pipelines with random weights, small, in the formats and layouts of the real ones."""

import re
import string
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

LETTERS = string.ascii_lowercase
TOKENS = [*LETTERS, *(f"{c}</w>" for c in LETTERS), "<|startoftext|>", "<|endoftext|>"]
START, END = len(TOKENS) - 2, len(TOKENS) - 1


def tokenizer():
    vocabulary = {token: number for number, token in enumerate(TOKENS)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=16)


def clip_config(width=16, layers=1):
    return CLIPTextConfig(
        vocab_size=len(TOKENS),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=START,
        eos_token_id=END,
        pad_token_id=END,
        projection_dim=width,
    )


def autoencoder(channels=1, widths=(8, 8, 8), **settings):
    return AutoencoderKL(
        in_channels=channels,
        out_channels=channels,
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        norm_num_groups=4,
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        sample_size=16,
        **settings,
    )


def velocity_schedule(cls=DDIMScheduler, **settings):
    # An untrained UNet predicts about 0: as a velocity that keeps latents in range, as noise not.
    return cls(
        beta_schedule="scaled_linear", prediction_type="v_prediction", steps_offset=1, **settings
    )


def write_pipeline(folder: Path, channels: int = 1) -> None:
    """Stable Diffusion's format: 16x16 images, 4x4 latents."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = autoencoder(channels, mid_block_add_attention=False)
        unet = UNet2DConditionModel(
            sample_size=4,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            attention_head_dim=2,
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=16,
        )
        encoder = CLIPTextModel(clip_config())
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=encoder,
        unet=unet,
        tokenizer=tokenizer(),
        safety_checker=None,
        scheduler=velocity_schedule(set_alpha_to_one=False, clip_sample=False),
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)


def write_sd1(folder: Path, file: Path) -> None:
    """The layout of Stable Diffusion 1.x at a small width: a folder, and the original's one file.

    64x64 images, 8x8 latents.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = autoencoder(3, (8, 8, 8, 8), layers_per_block=2)
        unet = UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(8, 8, 16, 16),
            norm_num_groups=4,
            cross_attention_dim=16,
            attention_head_dim=2,
        )
        encoder = CLIPTextModel(clip_config(layers=2))
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=encoder,
        unet=unet,
        tokenizer=tokenizer(),
        safety_checker=None,
        scheduler=velocity_schedule(set_alpha_to_one=False, clip_sample=False),
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)
    clip = {
        f"text_model.{k.removeprefix('text_model.')}": v for k, v in encoder.state_dict().items()
    }
    state = {f"model.diffusion_model.{original_unet(k)}": v for k, v in unet.state_dict().items()}
    state |= dict(original_vae(k, v) for k, v in vae.state_dict().items())
    state |= {f"cond_stage_model.transformer.{k}": v for k, v in clip.items()}
    save_file({k: v.contiguous() for k, v in state.items()}, file)


def original_unet(name: str) -> str:
    """A UNet's tensor as the original release names it."""
    for new, old in (
        ("time_embedding.linear_1", "time_embed.0"),
        ("time_embedding.linear_2", "time_embed.2"),
        ("conv_in", "input_blocks.0.0"),
        ("conv_norm_out", "out.0"),
        ("conv_out", "out.2"),
    ):
        if name.startswith(new):
            return name.replace(new, old)
    for new, old in (
        ("norm1", "in_layers.0"),
        ("conv1", "in_layers.2"),
        ("norm2", "out_layers.0"),
        ("conv2", "out_layers.3"),
        ("time_emb_proj", "emb_layers.1"),
        ("conv_shortcut", "skip_connection"),
    ):
        if "resnets" in name:
            name = name.replace(new, old)
    if match := re.match(r"mid_block\.(resnets|attentions)\.(\d)", name):
        place = 1 if match[1] == "attentions" else 2 * int(match[2])
        return f"middle_block.{place}{name[match.end() :]}"
    match = re.match(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)(\.conv)?", name)
    block, layer = int(match[2]), int(match[4])
    rest = name[match.end() :]
    if match[3] == "downsamplers":
        return f"input_blocks.{3 * block + 3}.0.op{rest}"
    if match[3] == "upsamplers":  # the first block up has no attention before it
        return f"output_blocks.{3 * block + 2}.{2 if block else 1}.conv{rest}"
    first = 1 if match[1] == "down" else 0
    place = 3 * block + layer + first
    where = "input" if match[1] == "down" else "output"
    return f"{where}_blocks.{place}.{int(match[3] == 'attentions')}{match[5] or ''}{rest}"


def original_vae(name: str, value: torch.Tensor) -> tuple[str, torch.Tensor]:
    """An autoencoder's tensor as the original release names and shapes it."""
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
    up = re.search(r"up_blocks\.(\d)", name)
    if up:
        name = name.replace(up[0], f"up.{3 - int(up[1])}")
    name = name.replace("upsamplers.0", "upsample").replace("resnets", "block")
    name = re.sub(r"mid_block\.block\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    if "attentions" in name:
        name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("group_norm", "norm")
        name = re.sub(r"to_([qkv])", r"\1", name).replace("to_out.0", "proj_out")
        value = value[:, :, None, None] if value.ndim == 2 else value
    return f"first_stage_model.{name}", value


def write_xl(folder: Path) -> None:
    """Stable Diffusion XL's format: 16x16 images, 8x8 latents."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            attention_head_dim=(2, 4),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16 + 24,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 2),
            projection_class_embeddings_input_dim=6 * 8 + 24,
        )
        parts = {
            "vae": autoencoder(3, (8, 8)),
            "text_encoder": CLIPTextModel(clip_config(16, 2)),
            "text_encoder_2": CLIPTextModelWithProjection(clip_config(24, 2)),
        }
    schedule = velocity_schedule(EulerDiscreteScheduler)
    StableDiffusionXLPipeline(
        **parts, unet=unet, tokenizer=tokenizer(), tokenizer_2=tokenizer(), scheduler=schedule
    ).save_pretrained(folder, safe_serialization=True)


def write_3(folder: Path, t5: bool = False) -> None:
    """Stable Diffusion 3's format: 16x16 images, 8x8 latents."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformer = SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            caption_projection_dim=16,
            joint_attention_dim=48,
            pooled_projection_dim=16 + 24,
            pos_embed_max_size=16,
        )
        parts = {
            "vae": autoencoder(
                3,
                (8, 8),
                use_quant_conv=False,
                use_post_quant_conv=False,
                shift_factor=0.0609,
                scaling_factor=1.5035,
            ),
            "text_encoder": CLIPTextModelWithProjection(clip_config(16, 2)),
            "text_encoder_2": CLIPTextModelWithProjection(clip_config(24, 2)),
            "text_encoder_3": t5_encoder() if t5 else None,
        }
    StableDiffusion3Pipeline(
        **parts,
        transformer=transformer,
        tokenizer=tokenizer(),
        tokenizer_2=tokenizer(),
        tokenizer_3=t5_tokenizer() if t5 else None,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    ).save_pretrained(folder, safe_serialization=True)


def t5_encoder():
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(
        T5Config(
            vocab_size=len(LETTERS) + 4, d_model=48, d_kv=8, d_ff=32, num_layers=1, num_heads=2
        )
    )


def t5_tokenizer():
    from transformers import T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    return T5Tokenizer(vocab=[*pieces, *((c, -3.0) for c in LETTERS)], extra_ids=0)
