"""The model's graph for TensorBoard, from two samples.

    events, reason = graph.draw(model, loader, device)      # events: as bytes; reason: why not, ''

The samples are read, and on a CPU the model runs, in a process of its own (throwaway.py). So it
changes nothing of what is trained. A model on a GPU cannot run there: it runs here.
"""

import time
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from tensorboard.compat.proto.event_pb2 import Event, TaggedRunMetadata
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tagrun.training import throwaway
from tagrun.training.loader import is_own

SAMPLES = 2


def draw(model: nn.Module, loader: Any, device: torch.device) -> tuple[list[bytes], str]:
    """Return (serialized Events, why there are none or '').

    A batch that is not a list or tuple which begins with a tensor has no graph and no reason.
    """
    values, reason = throwaway.collect(lambda: _look(model, loader, device))
    if device.type == 'cpu' or not values or not torch.is_tensor(values[0]):
        return values, reason
    try:
        return trace(model, values[0].to(device)), ''
    # whatever tracing an unknown model may raise: a picture is not worth a run
    except Exception as error:
        return [], _reason(error)


def _look(model: nn.Module, loader: Any, device: torch.device) -> Iterator[Any]:
    """Yield the Events, or for another device than the CPU the samples."""
    example = _first_samples(loader)
    if example is None:
        return
    if device.type == 'cpu':
        yield from trace(model, example)
    else:
        yield example


def _first_samples(loader: Any) -> Tensor | None:
    if isinstance(loader, DataLoader):
        _read_without_workers(loader)
    if is_own(loader):
        indices = loader.batch_sampler.indices(0)[:SAMPLES]
        samples = loader.dataset.__getitems__((0, indices)) if len(indices) else ()
        batch = loader.collate_fn(samples)
    else:
        batch = next(iter(loader), None)
    is_row = isinstance(batch, (list, tuple)) and len(batch) > 0
    return batch[0][:SAMPLES] if is_row and torch.is_tensor(batch[0]) else None


def _read_without_workers(loader: DataLoader) -> None:
    loader.num_workers, loader.timeout, loader.pin_memory = 0, 0, False


def trace(model: nn.Module, example: Tensor) -> list[bytes]:
    """Return the Events of the model's graph, as bytes. Raises whatever tracing it raises."""
    # what SummaryWriter.add_graph calls
    from torch.utils.tensorboard._pytorch_graph import graph

    training = model.training
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            drawn, profile = graph(model.eval(), example)
    finally:
        model.train(training)
    metadata = TaggedRunMetadata(tag='step1', run_metadata=profile.SerializeToString())
    graph_event = Event(wall_time=time.time(), graph_def=drawn.SerializeToString())
    metadata_event = Event(wall_time=time.time(), tagged_run_metadata=metadata)
    return [graph_event.SerializeToString(), metadata_event.SerializeToString()]


def _reason(error: Exception) -> str:
    return str(error).strip().partition('\n')[0] or type(error).__name__
