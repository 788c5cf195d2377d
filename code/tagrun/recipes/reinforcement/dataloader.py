"""There is no data: a batch is a number. What is learnt from stands on the state.

    loaders = build_loaders(args)       # {'train': range(500), 'val': range(1)}
"""


def build_loaders(args):
    """Return the numbers of an epoch's training steps, and of its rounds of evaluation."""
    return {'train': range(args.steps_per_epoch), 'val': range(1)}
