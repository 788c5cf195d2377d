"""The ways to train that loop.py compares. Each trains and returns the times of its epochs' ends.

    WAY=bare PROCESSES=1 PYTHONPATH=<project>/code python code/tagrun/bench/loop_ways.py

It runs in a project's folder, and imports the project's own code.
"""

import io
import os
import time
from collections.abc import Callable
from typing import NamedTuple

PROCESSES = int(os.environ.get('PROCESSES', 1))


def parts(is_fused=False, has_own_loader=False):
    """Return (args, loader, model, optimizer) as all ways use them."""
    import torch

    import config
    from dataloader import Signals, build_loaders, load_arrays
    from model import build_model
    from tagrun.training import args as arguments

    args = arguments.load(config, 0)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build_model(args).train()
    if args.device == 'cuda':
        torch.cuda.set_device(int(os.environ.get('LOCAL_RANK', 0)))
        model.cuda()
    arrays = load_arrays()
    data = Signals(arrays['x'], arrays['y'])
    if PROCESSES > 1:
        torch.distributed.init_process_group('nccl' if args.device == 'cuda' else 'gloo')
        model = torch.nn.parallel.DistributedDataParallel(model)
    loader = build_loaders(args)['train'] if has_own_loader else _plain_loader(data, args)
    if args.torch_compile:
        model.compile()
    parameters = model.parameters()
    optimizer = torch.optim.AdamW(parameters, lr=args.lr, weight_decay=0.0, fused=is_fused)
    return args, loader, model, optimizer


def _plain_loader(data, args):
    """Return torch's DataLoader with its defaults; several processes share each batch."""
    from torch.utils.data import DataLoader, DistributedSampler

    sampler = DistributedSampler(data) if PROCESSES > 1 else None
    return DataLoader(
        data,
        args.batch_size // PROCESSES,
        shuffle=sampler is None,
        sampler=sampler,
        pin_memory=args.device == 'cuda',
    )


def bare(**options):
    import torch
    from torch.nn.functional import cross_entropy

    args, loader, model, optimizer = parts(**options)
    mixed = torch.autocast(args.device, torch.bfloat16, enabled=args.amp != 'off')
    ends = []
    for _ in range(args.epochs):
        for x, y in loader:
            x, y = x.to(args.device, non_blocking=True), y.to(args.device, non_blocking=True)
            optimizer.zero_grad()
            with mixed:
                loss = cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        end(ends)
    return ends


def end(ends):
    """Add the time, once the device has finished its work."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    ends.append(time.perf_counter())


def by_hand():
    import torch
    from torch.nn.functional import cross_entropy
    from torch.utils.tensorboard import SummaryWriter
    from tqdm import tqdm

    args, loader, model, optimizer = parts()
    ends, step, writer = [], 0, SummaryWriter('by-hand')
    nowhere = io.StringIO()
    for epoch in range(args.epochs):
        total = right = count = 0
        bar = tqdm(loader, file=nowhere)
        for x, y in bar:
            optimizer.zero_grad()
            logits = model(x)
            loss = cross_entropy(logits, y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
            right += (logits.argmax(1) == y).sum().item()
            count += len(y)
            step += 1
            writer.add_scalar('loss', loss.item(), step)
            bar.set_postfix(loss=total / count, acc=right / count)
        torch.save(
            {'model': model.state_dict(), 'optimizer': optimizer.state_dict(), 'epoch': epoch},
            'by-hand.pth',
        )
        ends.append(time.perf_counter())
    return ends


def tagrun():
    """Train by the project's own main(), as a scratch run.

    With several processes main() does not return: the times are printed at the last epoch.
    """
    import main as project_main
    from tagrun.training import agent, run

    ends, original = [], run.Run.end_epoch

    def end_epoch(self, state):
        original(self, state)
        end(ends)
        if state.epoch == self.args.epochs:
            print_ends(ends)

    run.Run.end_epoch = end_epoch
    agent.count = lambda *_: PROCESSES
    project_main.main()


def accelerate():
    from accelerate import Accelerator
    from torch.nn.functional import cross_entropy

    args, loader, model, optimizer = parts()
    accelerator = Accelerator(cpu=True)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    ends = []
    for _ in range(args.epochs):
        total = right = count = 0
        for x, y in loader:
            optimizer.zero_grad()
            logits = model(x)
            loss = cross_entropy(logits, y)
            accelerator.backward(loss)
            optimizer.step()
            total += loss.detach() * len(y)
            right += (logits.argmax(1) == y).sum()
            count += len(y)
        ends.append(time.perf_counter())
    return ends


def ignite():
    from ignite.engine import Events, create_supervised_trainer
    from ignite.metrics import Accuracy, Loss
    from torch.nn.functional import cross_entropy

    args, loader, model, optimizer = parts()
    trainer = create_supervised_trainer(
        model,
        optimizer,
        cross_entropy,
        output_transform=lambda x, y, prediction, loss: (prediction.detach(), y),
    )
    Accuracy().attach(trainer, 'acc')
    Loss(cross_entropy).attach(trainer, 'loss')
    ends = []
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda _: ends.append(time.perf_counter()))
    trainer.run(loader, max_epochs=args.epochs)
    return ends


def lightning():
    import lightning
    from torch.nn.functional import cross_entropy

    args, loader, model, optimizer = parts()
    ends = []

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = model

        def training_step(self, batch, _):
            x, y = batch
            logits = self.model(x)
            loss = cross_entropy(logits, y)
            self.log('loss', loss, on_epoch=True)
            self.log('acc', (logits.argmax(1) == y).float().mean(), on_epoch=True)
            return loss

        def configure_optimizers(self):
            return optimizer

        def on_train_epoch_end(self):
            ends.append(time.perf_counter())

    lightning.Trainer(
        max_epochs=args.epochs,
        accelerator='cpu',
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(Module(), loader)
    return ends


class Way(NamedTuple):
    """How it trains, and the package that it needs."""

    train: Callable[[], list[float]]
    package: str | None = None


WAYS = {
    'bare': Way(bare),
    'bare, fused AdamW': Way(lambda: bare(is_fused=True)),
    "bare, Tagrun's Loader": Way(lambda: bare(is_fused=True, has_own_loader=True)),
    'by hand': Way(by_hand),
    'Tagrun': Way(tagrun),
    'Accelerate': Way(accelerate, 'accelerate'),
    'Ignite': Way(ignite, 'ignite'),
    'Lightning': Way(lightning, 'lightning'),
}
# these know several processes, GPUs, AMP and torch.compile
ANYWHERE = ('bare', 'bare, fused AdamW', "bare, Tagrun's Loader", 'Tagrun')


def print_ends(ends):
    """Print the times at which the epochs ended, in the first process alone."""
    if ends and os.environ.get('RANK', '0') == '0':
        print('ends:', *ends, flush=True)


if __name__ == '__main__':
    print_ends(WAYS[os.environ['WAY']].train())
