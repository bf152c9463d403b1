"""Reading models of any Keras version, including nested ones, as the fields of a spec."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.formats.config.context import Context
from specfmt.formats.config.reading import Json, as_list, as_map, as_text, need
from specfmt.formats.read.functional_models import FunctionalReader
from specfmt.formats.read.graph_reader import INPUT
from specfmt.formats.read.layer_entries import LayerReader
from specfmt.formats.read.policies import read_policy
from specfmt.formats.read.sequential_models import SequentialReader

DEFAULT_POLICY: Final = "float32"
FLOATING: Final = ("float", "bfloat", "mixed")
"""Prefixes of dtype policies that a whole model may have; others are those of single layers."""


class ModelReader:
    """Reads the models of one import.

    Args:
        context: The import.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.layers = LayerReader(context, self.read)

    def read(
        self, class_name: str, config: Any, path: Path, policy: Any = None, frozen: bool = False
    ) -> Json:
        """The fields of a model: name, inputs, layers, outputs, and those that differ from the defaults.

        Args:
            class_name: The model's class.
            config: Its config, or the list of its layers.
            path: The path of the config in the source.
            policy: The dtype policy of the model that contains it; None for the outermost model.
            frozen: The model that contains it is not trainable.

        Raises:
            SpecError: With all errors in its layers.
        """
        if isinstance(config, list):
            config, path, layers_path = {"layers": config}, path, path
        else:
            layers_path = (*path, "layers")
        config = as_map(config, path, f"the config of {class_name}")
        if class_name == "Graph":
            layers = []
        else:
            layers = as_list(
                need(config, "layers", path, f"a {class_name}"),
                layers_path,
                "the layers of a model",
            )
        outer = policy
        own = read_policy(config.get("dtype"), (*path, "dtype"))
        if own is not None:
            policy = own
        elif policy is None:
            policy = self._common_policy(layers)
        trainable = config.get("trainable")
        if not isinstance(trainable, bool):
            trainable = not frozen
        fields: Json = {}
        if config.get("name") is not None:
            fields["name"] = as_text(config["name"], (*path, "name"), "the name of a model")
        if class_name == "Sequential":
            chain = SequentialReader(self.context, self.layers, policy, frozen=not trainable)
            body = chain.sequential(layers, layers_path, config)
            style = "sequential" if chain.is_plain else "functional"
        else:
            graph = FunctionalReader(self.context, self.layers, policy, frozen=not trainable)
            if class_name == "Graph":
                body = graph.keras_0_graph(config, path)
            else:
                body = graph.functional(layers, layers_path, config, path, class_name)
            style = "functional"
        if style != default_style(body):
            fields["style"] = style
        fields.update(body)
        if trainable is frozen:
            fields["trainable"] = trainable
        if policy != (outer or DEFAULT_POLICY):
            fields["dtype"] = policy
        return fields

    def _common_policy(self, layers: list[Any]) -> Any:
        """The most common dtype policy of the layers; dtypes of inputs do not count."""
        found: Counter[str] = Counter()
        for item in layers:
            config = item.get("config") if isinstance(item, dict) else None
            if not isinstance(config, dict) or item.get("class_name") == INPUT:
                continue
            dtype = config.get("dtype")
            if isinstance(dtype, dict) and isinstance(dtype.get("config"), dict):
                dtype = dtype["config"].get("name")
            if isinstance(dtype, str) and dtype and dtype.startswith(FLOATING):
                found[dtype] += 1
        return max(found, key=lambda n: (found[n], n == DEFAULT_POLICY), default=DEFAULT_POLICY)


def default_style(body: Json) -> str:
    """The default style of a spec: sequential for a chain of layers."""
    inputs = body.get("inputs")
    chain = (
        (inputs is None or len(inputs) == 1)
        and "outputs" not in body
        and "input_structure" not in body
        and not any(
            key in entry
            for entry in body["layers"]
            for key in ("op", "reuse", "inputs", "call")
            if not (key == "inputs" and entry.get("type") == "Model")
        )
        and not any(
            isinstance(entry.get("outputs"), (list, dict)) or "input_structure" in entry
            for entry in body["layers"]
            if entry.get("type") == "Model"
        )
    )
    return "sequential" if chain else "functional"
