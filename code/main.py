"""The whole training, on one screen. Read it; you will seldom edit it.

    bash code/source.sh run first       # records this code in git as the tag `first`, and trains it
    python code/main.py                 # by hand: the same training, recorded nowhere

model.py has the network, dataloader.py the data, epoch.py a step, config.py the arguments.
"""
from tagrun.training import count_batches, open_run     # isort: skip  (first: it needs packages)
import config
import epoch
from dataloader import build_loaders
from state import State


def main():
    with open_run(config) as run:                       # its folder, seed, log and signals
        args = run.args
        loaders = build_loaders(args)                   # {'train': …, 'val': …, 'test': …}
        steps_per_epoch = count_batches(loaders['train'], args.steps_per_epoch)
        state = State(args, run.device, steps_per_epoch)
        run.begin(state, loaders)                       # from the checkpoint, if there is one

        while not run.should_stop(state):               # all epochs are done, or patience is out
            for phase in run.phases(state):             # those that this epoch has still to do
                state.metrics[phase] = epoch.run_epoch(run, state, loaders[phase], phase)
            run.end_epoch(state)                        # metrics to files, checkpoint
        run.finish(getattr(epoch, 'finish', None), state)   # epoch.py may have finish(run, state)


if __name__ == '__main__':
    main()
