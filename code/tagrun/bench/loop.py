"""A training step of Tagrun's whole loop, against a bare PyTorch loop, a hand-written one, and the frameworks that are installed.

    python code/tagrun/bench/loop.py [--rounds 5] [--epochs 60] [--hidden 100] [--ways bare Tagrun]
    python code/tagrun/bench/loop.py --nproc 2                      # against a bare DistributedDataParallel loop that torchrun starts
    python code/tagrun/bench/loop.py --device cuda --hidden 4000 --amp bf16 --compile
    pip install -r code/tagrun/bench/requirements-bench.txt         # brings Lightning, Ignite and Accelerate

MNIST-1D's MLP, batches of 100, AdamW, one thread, all 4,000 samples: 40 steps an epoch. Tagrun: bars, running loss and accuracy, TensorBoard at
each step, trace, history, a synced and digested checkpoint each epoch, signals handled. `by hand`: bars, the same metrics, TensorBoard at each
step, torch.save each epoch. The frameworks: loss and accuracy, no checkpoint. All but Tagrun read with torch's default DataLoader. Each way is a
process of its own, all in turns; wall time from epoch's end to epoch's end, the first five left out; medians. With several processes, on
a GPU, with AMP or torch.compile: the bare loop and Tagrun, both with them.
"""
import argparse
import contextlib
import importlib.util
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CODE = Path(__file__).resolve().parents[2]
if 'WAY' not in os.environ:     # else it is the project's own code that is imported
    sys.path[1:1] = [str(CODE), str(CODE / 'tagrun' / 'tests')]
SETTINGS = {'model': "'mlp'", 'phases': "('train',)", 'watch': "'train/loss'", 'watch_mode': "'min'", 'val_rate': '0.0', 'dropout': '0.0', 'schedule': "'constant'",
            'batch_size': '100'}
FIRST = 5       # epochs that warm up
STEPS = 40      # in an epoch


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument('--rounds', type=int, default=5)
    options.add_argument('--epochs', type=int, default=60)
    options.add_argument('--hidden', type=int, default=100, help="of the MLP's layers: how the ratio grows with the work of a step")
    options.add_argument('--ways', nargs='+', choices=WAYS, help='these alone; the first one is 1.00')
    options.add_argument('--nproc', type=int, default=1, help='processes that share each batch')
    options.add_argument('--device', default='cpu', choices=('cpu', 'cuda'))
    options.add_argument('--amp', default='off', choices=('off', 'bf16'))
    options.add_argument('--compile', action='store_true')
    found = options.parse_args()
    plain = found.nproc == 1 and found.device == 'cpu' and found.amp == 'off' and not found.compile
    ways = found.ways or [way for way, (_, package) in WAYS.items() if (plain or way in ANYWHERE) and (not package or importlib.util.find_spec(package))]
    medians = measure(ways, found.rounds, found.nproc, epochs=found.epochs, hidden=found.hidden, device=found.device, amp=found.amp, compile=found.compile)
    for way, (median, lowest, highest) in medians.items():
        print(f'{way:<24} {1e6 * median:7.0f} µs a step   ({1e6 * lowest:.0f} to {1e6 * highest:.0f})   {median / medians[ways[0]][0]:5.2f}')


def measure(ways, rounds, processes, **settings):
    """{way: (median, lowest, highest of the rounds' medians)}, seconds a step."""
    from conftest import make_data, make_project
    torchrun = ['-m', 'torch.distributed.run', f'--nproc-per-node={processes}', '--rdzv-backend=c10d', '--rdzv-endpoint=127.0.0.1:0', '--local-addr=127.0.0.1']
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder) / 'project', make_data(Path(folder)), **SETTINGS, **{name: repr(value) for name, value in settings.items()})
        found = {way: [] for way in ways}
        for _ in range(rounds):
            for way in ways:
                starter = torchrun if processes > 1 and way != 'Tagrun' else []
                done = subprocess.run([sys.executable, *starter, __file__], cwd=project.root, capture_output=True, text=True,
                                      env={**os.environ, 'PYTHONPATH': str(project.root / 'code'), 'OMP_NUM_THREADS': '1', 'WAY': way, 'PROCESSES': str(processes)})
                if done.returncode:
                    sys.exit(f'{way}: {done.stderr[-2000:]}')
                ends = [float(word) for word in re.search('^ends:(.*)$', done.stdout, re.MULTILINE)[1].split()]
                found[way].append(statistics.median((end - begin) / STEPS for begin, end in zip(ends[FIRST:], ends[FIRST + 1:])))
    return {way: (statistics.median(values), min(values), max(values)) for way, values in found.items()}


# --- the ways: each trains, and returns the times at which its epochs ended ---------------------------------------------------------------

def parts(fused=False, tagruns=False):
    """(args, loader, model, optimizer) as all ways use them."""
    import config
    import torch
    from dataloader import Signals, build_loaders, load_arrays
    from model import build_model
    from tagrun.training import args as arguments
    args, processes = arguments.load(config, 0), int(os.environ['PROCESSES'])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build_model(args).train()
    if args.device == 'cuda':
        torch.cuda.set_device(int(os.environ.get('LOCAL_RANK', 0)))
        model.cuda()
    arrays, sampler = load_arrays(), None
    data = Signals(arrays['x'], arrays['y'])
    if processes > 1:
        torch.distributed.init_process_group('nccl' if args.device == 'cuda' else 'gloo')
        sampler, model = torch.utils.data.DistributedSampler(data), torch.nn.parallel.DistributedDataParallel(model)
    loader = torch.utils.data.DataLoader(data, args.batch_size // processes, shuffle=sampler is None, sampler=sampler, pin_memory=args.device == 'cuda')
    if args.compile:
        model.compile()
    return args, build_loaders(args)['train'] if tagruns else loader, model, torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.0, fused=fused)


def bare(**options):
    import torch
    from torch.nn.functional import cross_entropy
    args, loader, model, optimizer = parts(**options)
    mixed = contextlib.nullcontext() if args.amp == 'off' else torch.autocast(args.device, torch.bfloat16)
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
    """Add the time, when the device has done what it was given."""
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
    for epoch in range(args.epochs):
        total = right = count = 0
        bar = tqdm(loader, file=open(os.devnull, 'w'))
        for x, y in bar:
            optimizer.zero_grad()
            logits = model(x)
            loss = cross_entropy(logits, y)
            loss.backward()
            optimizer.step()
            total, right, count, step = total + loss.item() * len(y), right + (logits.argmax(1) == y).sum().item(), count + len(y), step + 1
            writer.add_scalar('loss', loss.item(), step)
            bar.set_postfix(loss=total / count, acc=right / count)
        torch.save({'model': model.state_dict(), 'optimizer': optimizer.state_dict(), 'epoch': epoch}, 'by-hand.pth')
        ends.append(time.perf_counter())
    return ends


def tagrun():
    """The project's own main(), as a scratch run. Of several processes main() does not return: the times are told at the last epoch."""
    import main as researchers
    from tagrun.training import agent, run
    ends, real = [], run.Run.end_epoch

    def end_epoch(self, state):
        real(self, state)
        end(ends)
        if state.epoch == self.args.epochs:
            tell(ends)
    run.Run.end_epoch = end_epoch
    agent.count = lambda *_: int(os.environ['PROCESSES'])
    researchers.main()


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
            total, right, count = total + loss.detach() * len(y), right + (logits.argmax(1) == y).sum(), count + len(y)
        ends.append(time.perf_counter())
    return ends


def ignite():
    from ignite.engine import Events, create_supervised_trainer
    from ignite.metrics import Accuracy, Loss
    from torch.nn.functional import cross_entropy
    args, loader, model, optimizer = parts()
    trainer = create_supervised_trainer(model, optimizer, cross_entropy, output_transform=lambda x, y, guess, loss: (guess.detach(), y))
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
    lightning.Trainer(max_epochs=args.epochs, accelerator='cpu', logger=False, enable_checkpointing=False, enable_progress_bar=False,
                      enable_model_summary=False).fit(Module(), loader)
    return ends


WAYS = {    # what it is called: (how it trains, the package it needs)
    'bare': (bare, None),
    'bare, fused AdamW': (lambda: bare(fused=True), None),
    "bare, Tagrun's Loader": (lambda: bare(fused=True, tagruns=True), None),
    'by hand': (by_hand, None),
    'Tagrun': (tagrun, None),
    'Accelerate': (accelerate, 'accelerate'),
    'Ignite': (ignite, 'ignite'),
    'Lightning': (lightning, 'lightning'),
}
ANYWHERE = ('bare', 'bare, fused AdamW', "bare, Tagrun's Loader", 'Tagrun')     # those that know several processes, GPUs, AMP and torch.compile


def tell(ends):
    if ends and os.environ.get('RANK', '0') == '0':
        print('ends:', *ends, flush=True)


if __name__ == '__main__':
    tell(WAYS[os.environ['WAY']][0]()) if 'WAY' in os.environ else main()
