"""Every accepted name of every word, without importing the classes behind them.

``INDEX[kind]`` maps a spelling to the class name; the first spelling of a class is the bare
name that Keras writes.  ``MODULES[kind]`` names the module.  A test holds the index against
the modules, both ways.
"""

from __future__ import annotations

from typing import Final

MODULES: Final[dict[str, str]] = {
    "activation": "activations",
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
}

INDEX: Final[dict[str, dict[str, str]]] = {
    "activation": {
        "linear": "Linear",
        "relu": "Relu",
        "sigmoid": "Sigmoid",
        "softmax": "Softmax",
        "tanh": "Tanh",
    },
    "initializer": {
        "glorot_uniform": "GlorotUniform",
        "GlorotUniform": "GlorotUniform",
        "zeros": "Zeros",
        "Zeros": "Zeros",
        "ones": "Ones",
        "Ones": "Ones",
        "orthogonal": "Orthogonal",
        "Orthogonal": "Orthogonal",
        "random_uniform": "RandomUniform",
        "RandomUniform": "RandomUniform",
    },
    "regularizer": {},
    "constraint": {},
}

REQUIRED: Final[dict[tuple[str, str], tuple[str, ...]]] = {}
