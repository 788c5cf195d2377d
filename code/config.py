"""Every argument of a run, one a line: a default and a sentence. Edit it and `run`: git keeps what each run had.

    bash code/source.sh run wide --set model=mlp --set hidden=400     # changes the values in the run's commit, not here

Plain Python: `steps = 6000 // 40` works too. Values are numbers, strings, booleans, None, and tuples, lists and dicts of them.
"""
# --- the example: MNIST-1D, 40-point signals of ten digits (arXiv 2011.14439) ---
model = 'cnn'               # the network: 'linear', 'mlp', 'cnn' or 'gru'; see model.py
hidden = 100                # units in each hidden layer of 'mlp'; 10 to 1000
channels = 50               # channels of each convolution of 'cnn'; 8 to 256
units = 6                   # hidden units of 'gru', in each direction; 4 to 128
dropout = 0.3               # share of the last hidden layer's values that is dropped in training; 0 to 0.5
augment = 0.0               # standard deviation of noise added to a training signal, drawn anew each time; 0 (none) to 0.3

# --- data ---
val_rate = 0.1              # share of the training set split off, by seed, for validation; 0 to 0.5
batch_size = 100            # samples in a training step, of all processes together; 1 or more
eval_batch_size = 500       # samples in a validation or test step; any value gives the same metrics but for rounding
workers = 0                 # processes that load data; 0 loads in the training process; changes speed, not results
persistent_workers = False  # keep those processes from epoch to epoch; changes speed, not results
worker_timeout = 600        # seconds that a batch may take to come from them before it is an error; 0 waits for ever

# --- training ---
epochs = 60                 # passes over the training set; 1 or more
lr = 0.01                   # learning rate, the highest of its schedule; 1e-5 to 0.1 for Adam
schedule = 'cosine'         # of the learning rate over all steps: 'constant', 'linear' or 'cosine' (both down to 0)
warmup = 0                  # updates over which the learning rate first rises from 0; 0 to a tenth of all
weight_decay = 0.0          # decoupled (AdamW); 0 to 0.1
clip_norm = 0.0             # largest norm of the gradient; 0 leaves it as it is
accumulate = 1              # training steps whose gradients make one update; 1 or more
phases = ('train', 'val', 'test')  # what runs in each epoch, in this order

# --- what is best, and when to stop ---
watch = 'val/acc'           # the metric that names the best epoch: <phase>/<name in epoch.py>
watch_mode = 'max'          # the direction in which it is better: 'min' or 'max'
patience = 0                # stop after so many epochs without a better one; 0 never does
stop_on_nan = True          # fail at the first loss that is no number, instead of training on

# --- checkpoints ---
save_interval = 1           # epochs between two saves; the best and the last epoch are always saved
save_minutes = 10.0         # minutes of training after which it is saved in the middle of an epoch too
keep_last = 2               # newest checkpoints that are kept; the best is kept besides
keep_every = 0              # keep each n-th epoch's for good; 0 keeps none

# --- machine ---
device = 'auto'             # 'auto' (a GPU if there is one), 'cpu', 'cuda', 'cuda:1', 'mps'
threads = 1                 # CPU threads of torch; another number may change the last bits of a result; more speeds up large models
shard = False               # several processes (--nproc): divide the weights among them (FSDP2), not only the batches; for large models
amp = 'off'                 # mixed precision: 'off', 'bf16' or 'fp16'
compile = False             # torch.compile the model; the first step takes some seconds; changes the last bits of a result
determinism = 'exact'       # from fastest to exact: 'fastest', 'fast', 'steady', 'exact'; see tagrun/training/seeding.py
