"""Find lines of the researcher's code that look like what makes a training inexact.

    nondeterminism_lint.find(files)      # [Suspect('epoch.py', 31, 'time.time()', 'clock'), …]

The code is parsed, never run or imported. A suspect may well be harmless, and the cause may be
hidden in a package: diagnosis.py uses suspects only where a training differed. Their kinds:

    unseeded    a generator that seeds itself
    clock       the time is read
    hash        hash(), or a loop over a set
    draw        a dataset draws from a global generator
    draws       a Loader has stochastic=False (or draws=False, its older name)
    module      a change of what a module holds: a global, a list, a counter
    object      an attribute of self is changed, outside __init__
    dataset     the same, in a class that has __getitem__ or __iter__
    generator   a generator of its own, with a seed
    persistent  a loader has persistent_workers=True
    iterable    a dataset is an IterableDataset
    environment a variable of the environment is read
    file        a file is read, outside a dataset and outside dataloader.py
    written     a file is written
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tagrun.core.record.snapshot import File

CLOCKS = {
    'time.time',
    'time.time_ns',
    'time.perf_counter',
    'time.perf_counter_ns',
    'time.monotonic',
    'time.monotonic_ns',
    'time.process_time',
    'datetime.now',
    'datetime.utcnow',
    'datetime.today',
    'date.today',
    'perf_counter',
    'monotonic',
}
GENERATORS = {'Random', 'default_rng', 'RandomState'}  # without an argument they seed themselves
NEVER_SEEDED = {'SystemRandom', 'urandom', 'uuid1', 'uuid4', 'token_bytes', 'token_hex', 'randbits'}
GLOBAL_DRAWS = (
    'random.',
    'np.random.',
    'numpy.random.',
    'torch.rand',
    'torch.normal',
    'torch.bernoulli',
    'torch.multinomial',
)
CHANGING = {
    'append',
    'extend',
    'insert',
    'add',
    'update',
    'setdefault',
    'pop',
    'popleft',
    'appendleft',
    'clear',
    'remove',
}
KEYWORDS = {
    ('stochastic', False): 'draws',
    ('draws', False): 'draws',
    ('persistent_workers', True): 'persistent',
}
ENVIRONMENT = {'os.environ', 'environ', 'os.environb', 'os.getenv', 'getenv'}
SETTING = {'setdefault', 'update', 'clear'}  # of os.environ
# by the last part of a name, or by the last two
READERS = {
    'open',
    'np.load',
    'numpy.load',
    'torch.load',
    'joblib.load',
    'read_text',
    'read_bytes',
    'read_csv',
    'read_json',
    'read_parquet',
    'read_pickle',
    'loadtxt',
    'genfromtxt',
    'fromfile',
    'memmap',
    'load_file',
    'imread',
    'read_image',
    'listdir',
    'exists',
    'is_file',
}
WRITERS = {
    'np.save',
    'numpy.save',
    'torch.save',
    'joblib.dump',
    'savez',
    'savez_compressed',
    'savetxt',
    'tofile',
    'write_text',
    'write_bytes',
    'to_csv',
    'to_json',
    'to_parquet',
    'to_pickle',
    'save_file',
    'touch',
}
WRITING_MODES = set('wax+')
DATASET_METHODS = {'__getitem__', 'get_batch', '__getitems__', '__iter__'}
# where an object may set its own attributes
SET_UP = {'__init__', '__post_init__', 'load_state_dict', '__setstate__'}
CONFIG = 'config.py'
STATE = 'state.py'  # its class State is what every checkpoint holds
DATA = 'dataloader.py'  # what it reads is the data, as what the modules read that it imports
NO_DATA = {'main.py', 'config.py', 'state.py', 'epoch.py', 'model.py'}
NOT_TRAINED = ('tagrun/', 'predict.py')  # the tool, and what training does not import
AT_IMPORT = (
    'random.',
    'np.random.',
    'numpy.random.',
)  # torch's generator has a seed from the start
OBJECTS = ('object', 'module')  # kinds that config.py and the class State may well have


class Suspect(NamedTuple):
    """A line of code; file: its path relative to code/."""

    file: str
    line: int
    text: str
    kind: str


class Scope(NamedTuple):
    """The function around a line: its name, the names that it binds, those it declares global."""

    name: str | None = None
    own: frozenset[str] = frozenset()
    declared_global: frozenset[str] = frozenset()


def find(files: Iterable[File]) -> list[Suspect]:
    """Return the suspects in those files that are Python, file by file. The files must compile.

    What changes on the class State, or is bound in config.py, is no suspect: checkpoint and record
    have it.
    """
    trees = {
        file.path: ast.parse(file.content)
        for file in files
        if file.path.endswith('.py') and not file.path.startswith(NOT_TRAINED)
    }
    data = _data_modules(trees)
    suspects = []
    for path, tree in trees.items():
        reader = _Reader(path, tree, path in data)
        reader.visit(tree)
        suspects += reader.suspects
    return suspects


def _data_modules(trees: Mapping[str, ast.Module]) -> set[str]:
    """Return the files that dataloader.py is made of: itself and what it imports of code/."""
    modules: set[str] = set()
    waiting = [DATA]
    while waiting:
        path = waiting.pop()
        if path in trees and path not in modules | NO_DATA:
            modules.add(path)
            waiting += _imports(trees[path])
    return modules


def _imports(tree: ast.Module) -> Iterator[str]:
    """Yield the paths in code/ that the names of a file's imports may stand for."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ''
            names = [module, *(f'{module}.{alias.name}' for alias in node.names)]
        for name in names:
            path = name.strip('.').replace('.', '/')
            yield from (f'{path}.py', f'{path}/__init__.py')


class _Reader(ast.NodeVisitor):
    """Walks one file and keeps track of the class and the function it is in."""

    def __init__(self, file: str, tree: ast.Module, is_data: bool) -> None:
        self.suspects: list[Suspect] = []
        self._file, self._is_data = file, is_data
        self._module = _bound_in(tree.body)
        # of the class: 'dataset' or 'object'
        self._kind: str | None = None
        self._is_state = False  # in the class State of state.py
        self._scope = Scope()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        outer = self._kind, self._is_state
        for base in node.bases:
            if ast.unparse(base).endswith('IterableDataset'):
                self._add(base, 'iterable')
        methods = {getattr(item, 'name', '') for item in node.body}
        self._kind = 'dataset' if methods & DATASET_METHODS else 'object'
        self._is_state = self._file == STATE and node.name == 'State'
        self.generic_visit(node)
        self._kind, self._is_state = outer

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer = self._scope
        inside = [item for item in ast.walk(node) if item is not node]
        declared: set[str] = set()
        for item in inside:
            if isinstance(item, ast.Global):
                declared.update(item.names)
        self._scope = Scope(node.name, frozenset(_bound_in(inside) - declared), frozenset(declared))
        self.generic_visit(node)
        self._scope = outer

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._change(node, target)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._change(node, node.target)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        kind = _kind_of_call(node)
        name = ast.unparse(node.func)
        if {name, name.rpartition('.')[0]} & ENVIRONMENT:
            if name.rpartition('.')[2] not in SETTING:
                self._add(node, 'environment')
            # what it is called with may hold more suspects
            for argument in node.args:
                self.visit(argument)
            return
        if self._file_kind(node):
            self._add(node, self._file_kind(node))
        elif kind:
            self._add(node, kind)
        elif name.startswith(GLOBAL_DRAWS) and self._kind == 'dataset':
            self._add(node, 'draw')
        elif name.startswith(AT_IMPORT) and self._is_at_import() and not name.endswith('.seed'):
            self._add(node, 'unseeded')
        elif '.' in name and name.rpartition('.')[2] in CHANGING:
            self._change(node, node.func)
        elif name == 'next' and node.args:
            self._change(node, ast.Attribute(node.args[0], '__next__', ast.Store()))
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if ast.unparse(node.value) not in ENVIRONMENT:
            self.generic_visit(node)
            return
        # a variable that is set is no value that comes from outside
        if isinstance(node.ctx, ast.Load):
            self._add(node, 'environment')
        self.visit(node.slice)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if ast.unparse(node) in ENVIRONMENT:
            self._add(node, 'environment')
        else:
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in ENVIRONMENT:
            self._add(node, 'environment')

    def visit_For(self, node: ast.For) -> None:
        if _is_set(node.iter):
            self._add(node.iter, 'hash')
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        value = node.value.value if isinstance(node.value, ast.Constant) else None
        if node.arg and isinstance(value, bool) and (node.arg, value) in KEYWORDS:
            self._add(node, KEYWORDS[node.arg, value])
        self.generic_visit(node)

    def _change(self, node: ast.expr | ast.stmt, target: ast.expr) -> None:
        """Note what outlives the function that changes it.

        That is an attribute of self, or what a name of the module stands for.
        """
        root = target
        while isinstance(root, ast.Attribute | ast.Subscript):
            root = root.value
        name = root.id if isinstance(root, ast.Name) else None
        is_inside = root is not target
        scope = self._scope
        if name == 'self' and is_inside and scope.name not in SET_UP:
            self._add(node, self._kind)
            return
        is_module_name = scope.name and is_inside and name in self._module - scope.own
        if name in scope.declared_global or is_module_name:
            self._add(node, 'module')

    def _is_at_import(self) -> bool:
        """Return whether a line runs when its file is imported, before anything is seeded."""
        return self._scope.name is None

    def _file_kind(self, node: ast.Call) -> str | None:
        """Return the kind of a call that reads or writes a file that is not the data's."""
        kind = _file_kind(node)
        if self._is_data and self._kind != 'dataset':
            return None
        return None if kind == 'file' and self._kind == 'dataset' else kind

    def _add(self, node: ast.expr | ast.stmt | ast.keyword, kind: str | None) -> None:
        if kind in OBJECTS and (self._is_state or self._file == CONFIG):
            return
        text = ast.unparse(node).partition('\n')[0]
        self.suspects.append(Suspect(self._file, node.lineno, text, kind or 'object'))


def _kind_of_call(node: ast.Call) -> str | None:
    """Return the kind of a call that is a suspect wherever it is."""
    name = ast.unparse(node.func)
    last = name.rpartition('.')[2]
    has_no_argument = not node.args and not node.keywords
    if last in NEVER_SEEDED or (has_no_argument and (last in GENERATORS or last == 'seed')):
        return 'unseeded'
    if last in GENERATORS or name == 'torch.Generator':
        return 'generator'
    if '.'.join(name.split('.')[-2:]) in CLOCKS:
        return 'clock'
    is_loop = name in ('list', 'tuple', 'enumerate') and bool(node.args) and _is_set(node.args[0])
    return 'hash' if name == 'hash' or is_loop else None


def _file_kind(node: ast.Call) -> str | None:
    """Return 'file' or 'written' for a call that reads or writes a file, by its name; else None."""
    parts = ast.unparse(node.func).split('.')
    last, names = parts[-1], {parts[-1], '.'.join(parts[-2:])}
    if names & WRITERS:
        return 'written'
    if not names & READERS:
        return None
    is_written = last == 'open' and any(map(_is_writing_mode, _values(node)))
    return 'written' if is_written else 'file'


def _values(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(word.value for word in node.keywords if word.arg == 'mode')]


def _is_writing_mode(node: ast.expr) -> bool:
    """Return whether an argument of `open` is a mode that writes: 'w', 'ab', 'r+'."""
    text = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(text, str) or not set(text) <= set('rwaxbt+'):
        return False
    return bool(set(text) & WRITING_MODES)


def _bound_in(nodes: Iterable[ast.AST]) -> set[str]:
    names: set[str] = set()
    for node in nodes:
        names.update(_bound(node))
    return names


def _bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node binds: of a function, a class, a parameter, a target."""
    if isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    else:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, 'target', None)]
        for target in filter(None, targets):
            for item in ast.walk(target):
                if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
                    yield item.id


def _is_set(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ('set', 'frozenset')
    return isinstance(node, ast.Set | ast.SetComp)
