"""The data of each phase: rows of brackets, balanced or not. Yours: keep build_loaders.

    loaders = build_loaders(args)       # {'train': …, 'val': …}: batches that are mappings

Half of the rows are balanced, as (()()) is. Of the others, half have one bracket turned, and half
have their brackets shuffled. A tokenizer of Hugging Face's would stand in `collate`.
"""
import random

import torch
from torch.utils.data import Dataset
from transformers import BatchEncoding

from tagrun.training import Loader

TOKENS = '.^()'     # padding, the start of a row, and the brackets
LABELS = ['unbalanced', 'balanced']


def build_loaders(args):
    """Return one loader for each phase. The seed says which rows there are."""
    options = {'seed': args.seed, 'stochastic': False, 'num_workers': args.num_workers,
               'collate_fn': collate}
    draw = random.Random(args.seed)
    train_set = Brackets(args.train_rows, args.longest, draw)
    val_set = Brackets(1000, args.longest, draw)
    return {
        'train': Loader(train_set, args.batch_size, shuffle=True, **options),
        'val': Loader(val_set, args.eval_batch_size, **options),
    }


class Brackets(Dataset):
    """Rows of brackets, each with its label."""

    classes = LABELS

    def __init__(self, count, longest, draw):
        self.rows = [row_of_brackets(draw.randint(2, longest // 2), draw) for _ in range(count)]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        """Return a row and its label, such as ('^(())', 1)."""
        row = self.rows[index]
        return '^' + row, int(is_balanced(row))


def row_of_brackets(pairs, draw):
    """Return as many pairs of brackets, balanced in half of all cases."""
    row, depth = '', 0
    while len(row) < 2 * pairs:
        remaining = 2 * pairs - len(row)
        is_opening = depth == 0 or (depth < remaining and draw.random() < 0.5)
        row += '(' if is_opening else ')'
        depth += 1 if is_opening else -1
    kind = draw.random()
    if kind < 0.25:
        place = draw.randrange(len(row))
        turned = ')' if row[place] == '(' else '('
        return row[:place] + turned + row[place + 1:]
    if kind < 0.5:
        return ''.join(draw.sample(row, len(row)))
    return row


def is_balanced(row):
    depth = 0
    for bracket in row:
        depth += 1 if bracket == '(' else -1
        if depth < 0:
            return False
    return depth == 0


def collate(samples):
    """Return the batch that the model takes: input_ids and attention_mask (B, T), labels (B,)."""
    rows, labels = zip(*samples, strict=True)
    longest = max(map(len, rows))
    ids = torch.tensor([[TOKENS.index(token) for token in row.ljust(longest, '.')] for row in rows])
    mask = (ids > 0).long()
    return BatchEncoding({'input_ids': ids, 'attention_mask': mask, 'labels': torch.tensor(labels)})
