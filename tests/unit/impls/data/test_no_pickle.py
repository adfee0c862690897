"""No data file may run code: nothing in impls/data can reach pickle.

There is no exception for CIFAR-10's batches, which are pickles: see test_data_cifar_batch.py.
"""

import ast
from pathlib import Path

import pytest

import impls.data

FOLDER = Path(impls.data.__file__).parent
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve", "torch"}
FUNCTIONS = {"read_pickle", "eval", "exec", "__import__", "import_module"}


def ways_to_pickle(source: str) -> list[str]:
    """Each import, call or argument in `source` through which a file's content could be unpickled."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            imported = [node.module or "", *(alias.name for alias in node.names)]
            found += [name for name in imported if name.split(".")[0] in MODULES | FUNCTIONS]
        elif isinstance(node, ast.Name) and node.id in FUNCTIONS:
            found.append(node.id)
        elif isinstance(node, ast.Attribute) and node.attr in FUNCTIONS | {"pickle"}:
            found.append(node.attr)
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            found.append(node.arg)
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.name)
def test_no_pickle_is_reachable(path):
    assert ways_to_pickle(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def read():\n    import _pickle as p",
        "from pickle import loads",
        "from numpy import pickle",
        "import joblib.numpy_pickle",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "pd.read_pickle(path)",
        "__import__('pickle')",
    ],
)
def test_the_search_finds_pickle(source):
    assert ways_to_pickle(source)


def test_the_search_lets_plain_reading_through():
    assert not ways_to_pickle("import numpy as np\nnp.load(path, allow_pickle=False)\nnp.frombuffer(content, np.uint8)")
