"""What TensorBoard reads of a run."""

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader


def points(folder):
    """{tag: [(step, value), …]} of all event files, a picture's value being its bytes."""
    read = {}
    for path in sorted((folder / 'tensorboard').iterdir()):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                content = value.tensor
                number = content.float_val[0] if content.float_val else content.string_val
                read.setdefault(value.tag, []).append((event.step, number))
    return read
