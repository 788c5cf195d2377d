"""The whole training, on one screen. Read it; you will seldom edit it.

    bash code/source.sh run first       # records this code in git as the tag `first`, then runs main.py in a frozen copy of it
    python code/main.py                 # by hand: the same training as a scratch run, recorded nowhere

What is trained is in model.py, on what in dataloader.py, how a step goes in epoch.py, with what arguments in config.py.
"""
import config
from dataloader import build_loaders
from epoch import run_epoch
from state import State
from tagrun.training import open_run


def main():
    with open_run(config) as run:                       # its folder, seed, log and signals
        args = run.args
        loaders = build_loaders(args)                   # {'train': …, 'val': …, 'test': …}
        state = State(args, run.device, steps_per_epoch=len(loaders['train']))
        run.begin(state, loaders)                       # from the checkpoint, if the run was interrupted

        while state.epoch < args.epochs and not state.record.out_of_patience():
            for phase in args.phases:
                if phase not in state.metrics:          # else it was done before the interruption
                    state.metrics[phase] = run_epoch(run, state, loaders[phase], phase)
            run.end_epoch(state)                        # history.csv, statistic.json, TensorBoard, checkpoint


if __name__ == '__main__':
    main()
