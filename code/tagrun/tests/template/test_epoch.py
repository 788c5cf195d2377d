"""epoch.py of the template: what a step does with the gradients, and what it measures."""

import json
import subprocess
import sys

import pytest
from project_factory import CODE

SCRIPT = """
import sys
sys.path.insert(0, {code!r})
import torch
from types import SimpleNamespace
import epoch
from tagrun.training import Meter

torch.manual_seed(0)
x, y = torch.randn(36, 40), torch.randint(10, (36,))


class Run:
    # gives batches as a Run does, from tensors
    def __init__(self, args, sizes):
        self.args, self.device, self.sizes = args, torch.device('cpu'), sizes

    def batches(self, state, loader, phase):
        state.batch = 0
        for xs, ys in zip(x.split(self.sizes), y.split(self.sizes)):
            self.samples = len(xs)
            yield xs, ys
            state.batch += 1


def trained(sizes, **settings):
    args = SimpleNamespace(amp='off', grad_clip=0.0, grad_accum_steps=1, batch_size=sizes[0])
    vars(args).update(settings)
    model = torch.nn.Linear(40, 10)
    with torch.no_grad():
        model.weight.zero_(); model.bias.zero_()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    state = SimpleNamespace(
        model=model, optimizer=optimizer, meter=Meter(), accumulated=0.0, batch=0,
        scaler=torch.amp.GradScaler('cpu', enabled=False),
        scheduler=torch.optim.lr_scheduler.LambdaLR(optimizer, lambda update: 1.0))
    metrics = epoch.run_epoch(Run(args, sizes), state, None, 'train')
    return model.weight.detach(), state, metrics


import json, traceback
for line in sys.stdin:
    try:
        exec(json.loads(line), dict(globals()))
        error = ''
    except Exception:
        error = traceback.format_exc()
    print(json.dumps(error), flush=True)
"""


@pytest.fixture(scope='module')
def run_script():
    """A function that runs lines beside the template's files, in one process for all tests."""
    command = [sys.executable, '-c', SCRIPT.format(code=str(CODE))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def run(lines):
            process.stdin.write(json.dumps(lines) + '\n')
            process.stdin.flush()
            error = json.loads(process.stdout.readline())
            assert not error, error

        yield run
        process.stdin.close()


@pytest.mark.parametrize(
    'sizes, steps', [([12, 12, 12], 8), ([12, 12, 12], 3), ([12, 12, 10, 2], 4)]
)
def test_a_group_of_batches_is_one_batch_of_all_their_samples(run_script, sizes, steps):
    """Also where it is shorter than grad_accum_steps, or its last batch is smaller."""
    run_script(f"""
one, state, _ = trained([36])
many, state, _ = trained({sizes}, grad_accum_steps={steps})
assert torch.allclose(one, many, atol=1e-6), (one - many).abs().max()
assert state.accumulated == 0 and state.model.weight.grad is None
""")


def test_the_shorter_last_group_makes_a_step_of_its_own(run_script):
    run_script("""
weight, state, _ = trained([10, 10, 10, 6], grad_accum_steps=3)
assert state.scheduler.last_epoch == 2
""")


def test_without_accumulation_each_batch_is_a_step(run_script):
    run_script("""
weight, state, metrics = trained([12, 12, 12])
assert state.scheduler.last_epoch == 3 and set(metrics) == {'loss', 'acc'}
""")


def test_the_gradient_is_clipped_after_it_is_divided(run_script):
    run_script("""
one, *_ = trained([36], grad_clip=0.1)
many, *_ = trained([12, 12, 12], grad_accum_steps=5, grad_clip=0.1)
assert torch.allclose(one, many, atol=1e-6)
""")


def test_confusion_counts_have_the_truth_in_rows(run_script):
    run_script("""
counts = epoch.confusion_counts(torch.tensor([1, 1, 2]), torch.tensor([1, 3, 2]))
assert counts.shape == (10, 10) and counts.sum() == 3
assert counts[1, 1] == counts[1, 3] == counts[2, 2] == 1
""")


def test_a_wrong_amp_is_refused_before_anything_is_trained(project):
    said = project.tagrun('run', 't1', '--set', 'amp=half', code=1).stderr
    assert "amp is 'half'; one of off, bf16, fp16" in said
    assert not (project.folder('t1/0') / 'history.csv').exists()


def test_a_stopped_accumulation_goes_on_to_the_same_weights(project):
    """The gradients of a group, and how much of it is in, are in the checkpoint."""
    settings = ('--set', 'grad_accum_steps=7', 'epochs=3')
    project.tagrun('run', '-f', 'whole', *settings)
    project.tagrun('run', '-f', 'short', *settings, '--set', 'save_minutes=0.0')
    assert project.outcome('whole/0')['digest'] == project.outcome('short/0')['digest']
