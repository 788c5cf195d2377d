"""Lines of the researcher's code that look like what makes a training inexact.

    find(files)                          # [Suspect('epoch.py', 31, 'time.time()', 'clock'), …]

The code is parsed, never run or imported. A suspect may well be harmless, and what is wrong may be hidden in a package: causes.py
asks for suspects only where a training was seen to differ. Their kinds:

    unseeded    a generator that seeds itself               module      a change of what a module holds: a global, a list, a counter
    clock       the time is read                            object      an attribute of self is changed, outside __init__
    hash        hash(), or a loop over a set                dataset     the same, in a class that has __getitem__ or __iter__
    draw        a dataset draws from a global generator     generator   a generator of its own, with a seed
    draws       a Loader is told draws=False                persistent  a loader is told persistent_workers=True
"""
import ast
from typing import NamedTuple

CLOCKS = {'time.time', 'time.time_ns', 'time.perf_counter', 'time.perf_counter_ns', 'time.monotonic', 'time.monotonic_ns', 'time.process_time',
          'datetime.now', 'datetime.utcnow', 'datetime.today', 'date.today', 'perf_counter', 'monotonic'}
GENERATORS = {'Random', 'default_rng', 'RandomState'}       # without an argument they seed themselves
NEVER_SEEDED = {'SystemRandom', 'urandom', 'uuid1', 'uuid4', 'token_bytes', 'token_hex', 'randbits'}
GLOBAL_DRAWS = ('random.', 'np.random.', 'numpy.random.', 'torch.rand', 'torch.normal', 'torch.bernoulli', 'torch.multinomial')
CHANGING = {'append', 'extend', 'insert', 'add', 'update', 'setdefault', 'pop', 'popleft', 'appendleft', 'clear', 'remove'}
KEYWORDS = {('draws', False): 'draws', ('persistent_workers', True): 'persistent'}
SET_UP = {'__init__', '__post_init__', 'load_state_dict', '__setstate__'}       # where an object may set its own attributes
SAVED = ('config.py', 'state.py')   # plain values, and what every checkpoint holds


class Suspect(NamedTuple):
    file: str       # relative to code/
    line: int
    text: str
    kind: str


def find(files):
    """The Suspects in files (snapshot.File) that are Python and compile, file by file."""
    found = []
    for file in files:
        if file.path.endswith('.py') and not file.path.startswith('tagrun/') and file.path not in SAVED:
            found += _Reader(file.path).read(ast.parse(file.content))
    return found


class _Reader(ast.NodeVisitor):
    """Walks one file and knows in which class and function it stands."""

    def __init__(self, file):
        self._file, self._found = file, []
        self._kind = None                               # of the class: 'dataset' or 'object'
        self._function, self._own, self._global = None, set(), set()    # its name, its own names, those it declares global

    def read(self, tree):
        self._module = {name for node in tree.body for name in _bound(node)}
        self.visit(tree)
        return self._found

    def visit_ClassDef(self, node):
        methods, kept = {getattr(item, 'name', '') for item in node.body}, self._kind
        self._kind = 'dataset' if methods & {'__getitem__', 'get_batch', '__getitems__', '__iter__'} else 'object'
        self.generic_visit(node)
        self._kind = kept

    def visit_FunctionDef(self, node):
        kept = self._function, self._own, self._global
        inside = [item for item in ast.walk(node) if item is not node]
        self._function = node.name
        self._global = {name for item in inside if isinstance(item, ast.Global) for name in item.names}
        self._own = {name for item in inside for name in _bound(item)} - self._global
        self.generic_visit(node)
        self._function, self._own, self._global = kept

    def visit_Assign(self, node):
        for target in node.targets:
            self._change(node, target)
        self.generic_visit(node)

    def visit_AugAssign(self, node):
        self._change(node, node.target)
        self.generic_visit(node)

    def visit_Call(self, node):
        name = ast.unparse(node.func)
        last = name.rpartition('.')[2]
        if last in NEVER_SEEDED or last in (*GENERATORS, 'seed') and not node.args and not node.keywords:
            self._add(node, 'unseeded')
        elif last in GENERATORS or name == 'torch.Generator':
            self._add(node, 'generator')
        elif '.'.join(name.split('.')[-2:]) in CLOCKS:
            self._add(node, 'clock')
        elif name == 'hash' or name in ('list', 'tuple', 'enumerate') and node.args and _is_set(node.args[0]):
            self._add(node, 'hash')
        elif name.startswith(GLOBAL_DRAWS) and self._kind == 'dataset':
            self._add(node, 'draw')
        elif last in CHANGING and '.' in name or name == 'next' and node.args:
            self._change(node, node.func if '.' in name else ast.Attribute(node.args[0], '__next__'))
        self.generic_visit(node)

    def visit_For(self, node):
        if _is_set(node.iter):
            self._add(node.iter, 'hash')
        self.generic_visit(node)

    def visit_keyword(self, node):
        kind = KEYWORDS.get((node.arg, node.value.value)) if isinstance(node.value, ast.Constant) else None
        if kind:
            self._add(node, kind)
        self.generic_visit(node)

    def _change(self, node, target):
        """Note what outlives the function that changes it: an attribute of self, or what a name of the module stands for."""
        root = target
        while isinstance(root, (ast.Attribute, ast.Subscript)):
            root = root.value
        name = root.id if isinstance(root, ast.Name) else None
        if name == 'self' and root is not target and self._function not in SET_UP:
            self._add(node, self._kind)
        elif name in self._global or self._function and name in self._module - self._own and root is not target:
            self._add(node, 'module')

    def _add(self, node, kind):
        self._found.append(Suspect(self._file, node.lineno, ast.unparse(node).partition('\n')[0], kind))


def _bound(node):
    """The names that a node binds: of a function, a class, a parameter, a target."""
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, 'target', None)]
    return [item.id for target in targets if target for item in ast.walk(target) if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)]


def _is_set(node):
    return isinstance(node, (ast.Set, ast.SetComp)) or isinstance(node, ast.Call) and ast.unparse(node.func) in ('set', 'frozenset')
