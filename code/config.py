"""Every argument of a run, one a line: a default and a sentence. Git keeps what each run had.

    bash code/source.sh run wide --set model=mlp hidden=400     # other values, in that run only

Plain Python: `steps = 6000 // 40` works too. Values are numbers, strings, booleans, None, and
tuples, lists and dicts of them.
"""
# --- what you change first ---
model = 'cnn'               # the network: 'linear', 'mlp', 'cnn' or 'gru'; see model.py
epochs = 60                 # passes over the training set; 1 or more; None: until it is stopped
batch_size = 100            # samples in a training step, of all processes together; 1 or more
lr = 0.01                   # learning rate, the highest of its schedule; 1e-5 to 0.1 for Adam

# --- the networks of the example ---
hidden = 100                # units in each hidden layer of 'mlp'; 10 to 1000
channels = 50               # channels of each convolution of 'cnn'; 8 to 256
units = 6                   # hidden units of 'gru', in each direction; 4 to 128
dropout = 0.3               # fraction of the last hidden layer dropped in training; 0 to 0.5

# --- training ---
schedule = 'cosine'         # learning rate over all steps: 'constant', 'linear' or 'cosine' (to 0)
warmup = 0                  # updates over which the learning rate first rises from 0
weight_decay = 0.0          # decoupled (AdamW); 0 to 0.1
grad_clip = 0.0             # largest norm of the gradient; 0 leaves it as it is
grad_accum_steps = 1        # batches whose gradients make one update; 1 or more
steps_per_epoch = 0         # training batches in an epoch; 0: all that the loader gives
phases = ('train', 'val', 'test')  # what runs in each epoch, in this order
eval_interval = 1           # epochs from one evaluation (all but 'train') to the next; 0: the last

# --- data ---
augment = 0.0               # std of the noise added to a training signal, new each time; 0 to 0.3
val_fraction = 0.1          # part of the training set held out, by seed, for validation; 0 to 0.5
eval_batch_size = 500       # samples in a validation or test step; changes results by rounding only
num_workers = 0             # processes that load data; 0: the training process; changes speed only
persistent_workers = False  # keep those processes from epoch to epoch; changes speed only
worker_timeout = 600        # seconds to wait for a batch from them before it fails; 0: no limit

# --- what is best, and when to stop ---
monitor = 'val/acc'         # the metric that chooses the best epoch: <phase>/<name in epoch.py>
monitor_mode = 'max'        # the direction in which it is better: 'min' or 'max'
patience = 0                # stop after so many evaluations without a better one; 0 never does
stop_on_nan = True          # fail at the first training step with a NaN or infinite value

# --- checkpoints ---
save_interval = 1           # epochs from one save to the next; 0: only the best and the last
save_minutes = 10.0         # minutes of training after which it is saved in mid-epoch too
keep_last = 2               # newest checkpoints that are kept, besides the best
keep_every = 0              # keep each n-th epoch's for good; 0 keeps none

# --- machine ---
device = 'auto'             # 'auto' (a GPU if there is one), 'cpu', 'cuda', 'cuda:1', 'mps'
threads = 1                 # CPU threads of torch; another number may change the last bits
shard = False               # with --nproc: divide the weights among the processes (FSDP2) too
amp = 'off'                 # mixed precision: 'off', 'bf16' or 'fp16'
torch_compile = False       # torch.compile; the first step takes seconds; changes the last bits
determinism = 'exact'       # 'fastest' (cudnn.benchmark), 'fast' (TF32), 'steady' or 'exact'
