"""A small GPT over bytes, its optimizer and its schedule. Yours: keep the three build_ functions.

    model = build_model(args); logits = model(x)    # x: (B, T) int64 -> (B, T, 256) float32

T is args.context or less.
"""
import math

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

BYTES = 256         # the vocabulary


def build_model(args):
    return Gpt(args)


class Gpt(nn.Module):
    """Blocks of attention and a perceptron, each with a norm before it and a sum after it."""

    def __init__(self, args):
        super().__init__()
        self.token = nn.Embedding(BYTES, args.width)
        self.position = nn.Embedding(args.context, args.width)
        self.dropout = nn.Dropout(args.dropout)
        self.blocks = nn.Sequential(*(Block(args) for _ in range(args.layers)))
        self.norm = nn.LayerNorm(args.width)
        self.readout = nn.Linear(args.width, BYTES, bias=False)
        for embedding in (self.token, self.position):
            nn.init.normal_(embedding.weight, std=0.02)
        self.readout.weight = self.token.weight             # one matrix for both

    def forward(self, x):
        positions = torch.arange(x.shape[1], device=x.device)
        x = self.token(x) + self.position(positions)        # (B, T, W)
        x = self.blocks(self.dropout(x))
        return self.readout(self.norm(x))                   # (B, T, 256)


class Block(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(args.width), nn.LayerNorm(args.width)
        self.attention = Attention(args)
        self.mlp = nn.Sequential(
            nn.Linear(args.width, 4 * args.width), nn.GELU(),
            nn.Linear(4 * args.width, args.width), nn.Dropout(args.dropout))

    def forward(self, x):
        x = x + self.attention(self.norm_1(x))
        return x + self.mlp(self.norm_2(x))


class Attention(nn.Module):
    """Each position looks at those before it and at itself, with several heads."""

    def __init__(self, args):
        super().__init__()
        self.heads = args.heads
        self.qkv = nn.Linear(args.width, 3 * args.width)
        self.out = nn.Linear(args.width, args.width)
        self.dropout = nn.Dropout(args.dropout)

    def forward(self, x):
        qkv = self.qkv(x).unflatten(2, (3, self.heads, -1))     # (B, T, 3, H, W / H)
        q, k, v = qkv.transpose(1, 3).unbind(2)                 # (B, H, T, W / H)
        mixed = scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))


def build_optimizer(model, args):
    """Return AdamW with two groups: biases and norms, of one dimension, do not decay."""
    parameters = list(model.parameters())
    groups = [
        {'name': 'matrices', 'params': [part for part in parameters if part.ndim > 1],
         'weight_decay': args.weight_decay},
        {'name': 'vectors', 'params': [part for part in parameters if part.ndim == 1],
         'weight_decay': 0.0},
    ]
    return torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.95), fused=True)


def build_scheduler(optimizer, args, updates):
    """Return a warm-up from 0, then a cosine down to a tenth, over `updates` steps.

    updates: None if their number is not known; the rate is constant after the warm-up then.
    """
    def factor(update):
        if update < args.warmup:
            return (update + 1) / (args.warmup + 1)
        if updates is None:
            return 1.0
        progress = min(1.0, (update - args.warmup) / max(1, updates - args.warmup))
        return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress))
    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
