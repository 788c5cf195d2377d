"""training/unsaved.py: what stands on the state, and no checkpoint holds."""

from types import SimpleNamespace

import torch
import torchmetrics
from torch import nn

from tagrun.training import unsaved

ACCURACY = torchmetrics.classification.MulticlassAccuracy


def names(**attributes):
    return [one.name for one in unsaved.find(SimpleNamespace(**attributes))]


def test_a_metric_that_saves_nothing_is_named_with_what_to_write():
    (lost,) = unsaved.find(SimpleNamespace(acc=ACCURACY(num_classes=3), epoch=1))
    assert lost.what.startswith('state.acc is not saved') and '(fn, fp, tn, tp)' in lost.what
    assert lost.remedy == 'Write self.acc.persistent(True) after its line in state.py'
    saved = ACCURACY(num_classes=3)
    saved.persistent(True)
    assert names(acc=saved, mean=torchmetrics.MeanMetric()) == ['state.mean']


def test_a_metric_within_another_object_is_named_by_its_path():
    model = nn.Sequential(nn.Linear(1, 1), nn.ModuleDict({'acc': ACCURACY(num_classes=3)}))
    metrics = nn.ModuleList([torchmetrics.MeanMetric()])
    lost = unsaved.find(SimpleNamespace(model=model, metrics=metrics))
    assert [one.name for one in lost] == ['state.model[1].acc', 'state.metrics[0]']
    line = 'Write self.model[1].acc.persistent(True) in state.py, after the line of self.model'
    assert lost[0].remedy == line
    for part in (*model.modules(), *metrics):
        if hasattr(part, 'persistent'):
            part.persistent(True)
    assert names(model=model, metrics=metrics) == []
    assert names(all=torchmetrics.MetricCollection([ACCURACY(num_classes=3)])) == ['state.all']


def test_what_has_all_its_tensors_in_its_state_dict_is_not_named():
    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    assert names(model=model, optimizer=optimizer, schedule=schedule, step=3) == []


def test_attributes_of_models_that_change_and_are_not_saved_are_named():
    model = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))
    model[1].register_buffer('ema', torch.zeros(2), persistent=False)
    model[1].register_buffer('table', torch.zeros(2), persistent=False)
    model.calls, model.rate = 0, 0.5
    state, changing = SimpleNamespace(model=model, epoch=0), unsaved.Changing()
    changing.look(state)
    model.calls += 1
    model[1].ema += 1
    model[0](torch.randn(4, 1))
    model.eval()
    for _ in range(2):
        changing.look(state)
    assert changing.names == ['state.model.calls', 'state.model[1].ema']
