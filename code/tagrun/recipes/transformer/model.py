"""A small BERT of Hugging Face's library, made from its config: nothing is downloaded. Yours.

    output = build_model(args)(**batch)     # output.loss: (); output.logits: (B, 2) float32

BertForSequenceClassification.from_pretrained(…) in build_model would start from weights instead.
"""
import torch
from transformers import BertConfig, BertForSequenceClassification, get_scheduler

from dataloader import TOKENS


def build_model(args):
    config = BertConfig(
        vocab_size=len(TOKENS),
        hidden_size=args.width,
        num_hidden_layers=args.layers,
        num_attention_heads=args.heads,
        intermediate_size=4 * args.width,
        max_position_embeddings=args.longest + 1,
        hidden_dropout_prob=args.dropout,
        attention_probs_dropout_prob=args.dropout,
        num_labels=2,
    )
    return BertForSequenceClassification(config)


def build_optimizer(model, args):
    return torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=args.weight_decay)


def build_scheduler(optimizer, args, updates):
    """Return the library's schedule of that name over `updates` optimizer steps."""
    return get_scheduler(args.schedule, optimizer, args.warmup, updates)
