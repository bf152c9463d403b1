"""Blocks in Keras code: functions that are called, with the same model as the flat code."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from specfmt import analyze, generate, loads, to_keras_json
from specfmt.graph.model import Graph
from specfmt.targets.keras import generate_model

PICTURE = "inputs: {image: {shape: [16, 16, 3]}}\n"
WORDS = "inputs: {words: {shape: [12, 16]}}\n"

DOCUMENTS: dict[str, tuple[str, list[str]]] = {}
"""Name -> a document, and the functions that its code has."""


def document(name: str, functions: list[str], text: str, inputs: str = PICTURE) -> None:
    DOCUMENTS[name] = (f"specfmt: 1\nname: {name}\n{inputs}{text}", functions)


document(
    "conditions",
    ["bottleneck", "stage"],
    """
blocks:
  bottleneck:
    description: Adds to x what two convolutions make of it; project fits x to the sum
    parameters: {filters: required, stride: 1, project: false}
    layers:
      - {type: Conv2D, name: 0_conv, when: $project, filters: $(4 * filters), kernel_size: 1, strides: $stride}
      - {type: BatchNormalization, name: 0_bn, when: $project, epsilon: 1.001e-5}
      - {type: Conv2D, name: 1_conv, inputs: x, filters: $filters, kernel_size: 3, padding: same, strides: $stride}
      - {type: Activation, name: 1_relu, activation: relu}
      - {type: Conv2D, name: 2_conv, filters: $(4 * filters), kernel_size: 1}
      - {type: Add, name: add, inputs: [0_bn, 2_conv]}
      - {type: Activation, name: out, activation: relu}
  stage:
    parameters: {filters: required, depth: required, stride: 1}
    layers:
      - {block: bottleneck, name: block1, filters: $filters, stride: $stride, project: true}
      - {block: bottleneck, name: block$(i + 2), filters: $filters, repeat: $(depth - 1)}
layers:
  - {type: Conv2D, name: stem, filters: 8, kernel_size: 3}
  - {block: stage, name: conv2, filters: 2, depth: 2}
  - {block: stage, name: conv3, filters: 4, depth: 4, stride: 2}
  - {type: GlobalAveragePooling2D, name: pool}
""",
)
document(
    "repeated_at_the_top",
    ["unit"],
    """
blocks:
  unit:
    parameters: {filters: required}
    layers:
      - {type: Conv2D, name: conv, filters: $filters, kernel_size: 3, padding: same}
      - {type: Add, name: add, inputs: [x, conv]}
layers:
  - {type: Conv2D, name: stem, filters: 4, kernel_size: 1}
  - {block: unit, name: unit, filters: 4, repeat: 3}
  - {block: unit, name: other$i, filters: 4, repeat: 2}
""",
)
document(
    "growing",
    ["conv_block"],
    """
blocks:
  conv_block:
    parameters: {growth: required}
    layers:
      - {type: BatchNormalization, name: 0_bn, epsilon: 1.001e-5, momentum: 0.9}
      - {type: Activation, name: 0_relu, activation: relu}
      - {type: Conv2D, name: 1_conv, filters: $(4 * growth), kernel_size: 1, use_bias: false}
      - {type: Conv2D, name: 2_conv, filters: $growth, kernel_size: 3, padding: same, use_bias: false}
      - {type: Concatenate, name: concat, inputs: [x, 2_conv]}
layers:
  - {type: Conv2D, name: stem, filters: 4, kernel_size: 1}
  - {block: conv_block, name: conv2_block$(i + 1), growth: 2, repeat: 3}
  - {type: Conv2D, name: pool2_conv, filters: 5, kernel_size: 1}
  - {block: conv_block, name: conv3_block$(i + 1), growth: 3, repeat: 2}
""",
)
document(
    "several_inputs_and_outputs",
    ["down", "up"],
    """
blocks:
  down:
    parameters: {filters: required}
    layers:
      - {type: Conv2D, name: conv1, filters: $filters, kernel_size: 3, padding: same, activation: relu}
      - {type: Conv2D, name: conv2, filters: $filters, kernel_size: 3, padding: same, activation: relu}
      - {type: MaxPooling2D, name: pool}
    outputs: [pool, conv2]
  up:
    inputs: [x, skip]
    parameters: {filters: required}
    layers:
      - {type: UpSampling2D, name: up, inputs: x}
      - {type: Concatenate, name: concat, inputs: [up, skip]}
      - {type: Conv2D, name: conv, filters: $filters, kernel_size: 3, padding: same, activation: relu}
layers:
  - {block: down, name: down1, filters: 4}
  - {block: down, name: down2, filters: 8}
  - {type: Conv2D, name: middle, filters: 16, kernel_size: 3, padding: same}
  - {block: up, name: up2, filters: 8, inputs: [middle, "down2:1"]}
  - {block: up, name: up1, filters: 4, inputs: [up2, "down1:1"]}
  - {type: Conv2D, name: mask, filters: 1, kernel_size: 1, activation: sigmoid}
""",
)
document(
    "whole_names",
    ["separable"],
    """
blocks:
  separable:
    parameters: {filters: required, label: required}
    layers:
      - {type: SeparableConv2D, name: separable_conv_1_$name, filters: $filters, kernel_size: 3, padding: same}
      - {type: BatchNormalization, name: bn_$(label)_of_$name}
      - {type: Dropout, name: $label, rate: 0.25}
layers:
  - {block: separable, name: left, filters: 4, label: one}
  - {type: Add, name: sum, inputs: [image, image]}
  - {block: separable, name: right, filters: 6, label: "two{}'"}
  - {type: Add, name: total, inputs: [left, left]}
  - {type: Concatenate, name: both, inputs: [total, right]}
""",
)
document(
    "values_of_all_kinds",
    ["unit"],
    """
blocks:
  unit:
    parameters:
      kernel: 3
      strides: [1, 1]
      activation: relu
      momentum: 0.99
      rate: required
      bias: true
      initializer: glorot_uniform
      decay: 0.01
      padding: same
    layers:
      - type: Conv2D
        name: conv
        filters: 4
        kernel_size: $kernel
        strides: $strides
        padding: $padding
        use_bias: $bias
        kernel_initializer: $initializer
        kernel_regularizer: {type: L2, l2: $decay}
      - {type: BatchNormalization, name: bn, momentum: $momentum}
      - {type: Activation, name: act, activation: $activation}
      - {type: Dropout, name: drop, rate: $rate}
      - {type: Concatenate, name: twice, inputs: [drop, drop]}
layers:
  - {block: unit, name: a, rate: 0.5}
  - {block: unit, name: b, rate: 0.25, kernel: [3, 1], activation: gelu, momentum: 0.9}
  - {block: unit, name: c, rate: 0.25, kernel: [5, 5], strides: 2, bias: false, decay: 0.1}
  - {block: unit, name: d, rate: 0, initializer: {type: HeNormal, seed: 3}, padding: valid}
""",
)
document(
    "activations_with_arguments",
    ["unit"],
    """
blocks:
  unit:
    parameters: {activation: relu}
    layers:
      - {type: Conv2D, name: conv, filters: 3, kernel_size: 1}
      - {type: Activation, name: act, activation: $activation}
      - {type: Add, name: add, inputs: [act, x]}
layers:
  - {block: unit, name: a}
  - {block: unit, name: b, activation: {type: relu, max_value: 6}}
  - {block: unit, name: c, activation: {type: relu, max_value: 6}}
""",
)
document(
    "reuse_inside",
    ["twice"],
    """
blocks:
  twice:
    parameters: {units: required}
    layers:
      - {type: Dense, name: first, units: $units}
      - {reuse: first, name: again}
      - {type: Add, name: add, inputs: [first, again]}
layers:
  - {type: Dense, name: stem, units: 4}
  - {block: twice, name: a, units: 4}
  - {block: twice, name: b, units: 4}
""",
)
document(
    "operations",
    ["scaled"],
    """
blocks:
  scaled:
    parameters: {scale: required, axis: -1}
    layers:
      - {op: multiply, inputs: [x, $scale]}
      - {op: mean, name: mean, axis: $axis, keepdims: true}
      - {op: subtract, inputs: [x, mean]}
layers:
  - {block: scaled, name: a, scale: 0.5}
  - {block: scaled, name: b, scale: 2.0}
  - {block: scaled, name: c, scale: 2.0, axis: 1}
""",
)
document(
    "automatic_names",
    ["conv_bn"],
    """
blocks:
  conv_bn:
    parameters: {filters: required}
    layers:
      - {type: Conv2D, filters: $filters, kernel_size: 3, padding: same}
      - {type: BatchNormalization}
      - {type: ReLU}
layers:
  - {type: Conv2D, filters: 4, kernel_size: 1}
  - {block: conv_bn, filters: 4}
  - {block: conv_bn, filters: 8}
  - {type: Add, name: sum, inputs: [re_lu_1, re_lu_1]}
  - {type: Add, inputs: [sum, re_lu_1]}
  - {block: conv_bn, filters: 8}
""",
)
document(
    "automatic_names_that_keras_counts_otherwise",
    [],
    """
blocks:
  conv:
    parameters: {filters: required}
    layers: [{type: Conv2D, filters: $filters, kernel_size: 1}, {type: Add, inputs: [conv2d, conv2d]}]
layers:
  - {block: conv, filters: 4}
  - {type: Conv2D, name: named, filters: 8, kernel_size: 1}
  - {block: conv, filters: 8}
""",
)
document(
    "automatic_names_of_operations",
    ["gated"],
    """
blocks:
  gated:
    parameters: {units: required}
    layers:
      - {type: Dense, units: $units, name: a}
      - {op: sigmoid}
      - {op: multiply, inputs: [a, sigmoid]}
layers:
  - {block: gated, units: 4}
  - {block: gated, units: 8}
  - {op: sigmoid}
""",
)
document(
    "transformer",
    ["encoder_layer"],
    """
blocks:
  encoder_layer:
    description: Self-attention, then a network for each word; each adds to its input.
    parameters: {heads: required, width: required, rate: 0.1}
    layers:
      - {type: LayerNormalization, name: norm1, epsilon: 1.0e-6}
      - {type: MultiHeadAttention, name: attention, num_heads: $heads, key_dim: $(width // heads), inputs: {query: norm1, value: norm1}}
      - {type: Dropout, name: drop1, rate: $rate}
      - {type: Add, name: add1, inputs: [x, drop1]}
      - {type: LayerNormalization, name: norm2, epsilon: 1.0e-6}
      - {type: Dense, name: dense1, units: $(4 * width), activation: gelu}
      - {type: Dense, name: dense2, units: $width}
      - {type: Dropout, name: drop2, rate: $rate}
      - {type: Add, name: add2, inputs: [add1, drop2]}
layers:
  - {block: encoder_layer, name: layer, heads: 4, width: 16, repeat: 3}
  - {block: encoder_layer, name: last, heads: 2, width: 16, rate: 0.2}
  - {type: GlobalAveragePooling1D, name: pool}
""",
    WORDS,
)
document(
    "used_once",
    [],
    """
blocks:
  head:
    parameters: {units: required}
    layers:
      - {type: Dense, name: hidden, units: $(2 * units)}
      - {type: Dense, name: out, units: $units}
layers:
  - {type: Add, name: two, inputs: [image, image]}
  - {block: head, name: head, units: 3}
""",
)
document(
    "blocks_inside_blocks",
    ["inner", "unit"],
    """
blocks:
  inner:
    parameters: {width: required, act: relu}
    layers:
      - {type: Dense, name: dense, units: $(width + 1), activation: $act}
      - {type: Dense, name: $(act)_$(width), units: $width}
  unit:
    parameters: {units: required}
    layers:
      - {block: inner, name: inner, width: $(2 * units)}
      - {type: Add, name: sum, inputs: [inner, inner]}
layers:
  - {block: unit, name: a, units: 2}
  - {block: unit, name: b, units: 3}
""",
)
document(
    "nested_model_with_blocks",
    ["unit"],
    """
blocks:
  unit:
    parameters: {units: required}
    layers:
      - {type: Dense, name: dense, units: $units}
      - {type: Add, name: sum, inputs: [dense, dense]}
layers:
  - {block: unit, name: a, units: 4}
  - type: Model
    name: encoder
    inputs: {code: {shape: [16, 16, 4]}}
    layers:
      - {block: unit, name: b, units: 4}
      - {block: unit, name: c, units: 3}
  - {reuse: encoder, inputs: a}
  - {type: Add, name: total, inputs: [encoder, encoder_call_1]}
""",
)
document(
    "model_inside_a_block",
    [],
    """
blocks:
  unit:
    parameters: {units: required}
    layers:
      - type: Model
        name: inner
        inputs: {code: {shape: [16, 16, 3]}}
        layers: [{type: Dense, name: dense, units: $units}]
layers:
  - {block: unit, name: a, units: 3}
  - {type: Add, name: two, inputs: [a, a]}
  - {block: unit, name: b, units: 4, inputs: image}
  - {type: Concatenate, name: all, inputs: [two, b]}
""",
)
document(
    "an_output_that_one_use_does_not_need",
    ["unit"],
    """
blocks:
  unit:
    parameters: {units: required}
    layers:
      - {type: Dense, name: one, units: $units}
      - {type: Dense, name: two, units: $units, inputs: x}
    outputs: [one, two]
layers:
  - {block: unit, name: a, units: 3}
  - {block: unit, name: b, units: 4}
  - {block: unit, name: c, units: 5}
  - {type: Concatenate, name: all, inputs: ["a:1", "b", "c:1", "c:0"]}
""",
)
document(
    "layers_in_a_row",
    ["conv", "conv_block"],
    """
blocks:
  conv_block:
    description: Convolutions, then half the size
    parameters: {filters: required, depth: 2, norm: false}
    layers:
      - {block: conv, name: conv$(i + 1), filters: $filters, repeat: $depth}
      - {type: BatchNormalization, name: bn, when: $norm}
      - {type: MaxPooling2D, name: pool}
  conv:
    parameters: {filters: required}
    layers:
      - {type: Conv2D, name: conv, filters: $filters, kernel_size: 3, padding: same}
      - {type: ReLU, name: relu}
layers:
  - {block: conv_block, name: block1, filters: 4}
  - {block: conv_block, name: block2, filters: 8, norm: true}
  - {block: conv_block, name: block3, filters: 6, depth: 3}
  - {block: conv, name: last, filters: 5, repeat: 2}
  - {type: Flatten}
  - {type: Dense, units: 10, activation: softmax}
""",
)
document(
    "automatic_names_in_a_row",
    ["unit"],
    """
blocks:
  unit:
    parameters: {units: required}
    layers: [{type: Dense, units: $units}, {type: Dropout, rate: 0.5}]
layers:
  - {block: unit, units: 4}
  - {type: Dense, units: 3}
  - {block: unit, units: 5}
""",
)
document(
    "a_row_inside_a_model",
    ["unit", "unit_2"],
    """
blocks:
  unit:
    parameters: {units: required}
    layers: [{type: Dense, name: dense, units: $units}, {type: ReLU, name: relu}]
layers:
  - {block: unit, name: a, units: 4}
  - {type: Add, name: two, inputs: [a, a]}
  - type: Model
    name: row
    inputs: {code: {shape: [16, 16, 4]}}
    layers:
      - {block: unit, name: b, units: 4}
      - {block: unit, name: c, units: 3}
  - {block: unit, name: d, units: 2}
""",
)
document(
    "conditions_on_numbers_and_texts",
    ["unit"],
    """
blocks:
  unit:
    parameters: {stride: 1, act: relu, expand: 1}
    layers:
      - {type: Conv2D, name: expand, when: $(expand > 1), filters: $(3 * expand), kernel_size: 1}
      - {type: ZeroPadding2D, name: pad, when: $(stride == 2), padding: [[0, 1], [0, 1]]}
      - {type: DepthwiseConv2D, name: dw, kernel_size: 3, strides: $stride, padding: $("valid" if stride == 2 else "same")}
      - {type: Conv2D, name: project, filters: 3, kernel_size: 1}
      - {type: Activation, name: act, when: $(act != null), activation: $act}
      - {type: Add, name: add, when: $(stride == 1), inputs: [act, x]}
layers:
  - {block: unit, name: a}
  - {block: unit, name: b, expand: 6}
  - {block: unit, name: c, stride: 2, expand: 6, act: null}
  - {block: unit, name: d, act: gelu}
""",
)
document(
    "two_branches",
    ["inception"],
    """
blocks:
  inception:
    parameters: {filters: required}
    layers:
      - {type: Conv2D, name: a, filters: $filters, kernel_size: 1}
      - {type: Conv2D, name: b1, inputs: x, filters: $filters, kernel_size: 1}
      - {type: Conv2D, name: b2, filters: $filters, kernel_size: 3, padding: same}
      - {type: MaxPooling2D, name: c1, inputs: x, pool_size: 3, strides: 1, padding: same}
      - {type: Conv2D, name: c2, filters: $filters, kernel_size: 1}
      - {type: Concatenate, name: concat, inputs: [a, b2, c2]}
layers:
  - {block: inception, name: mixed0, filters: 4}
  - {block: inception, name: mixed1, filters: 6}
outputs: [mixed0, mixed1]
""",
)
document(
    "masks",
    ["recurrent"],
    """
blocks:
  recurrent:
    parameters: {units: required, sequences: true}
    layers:
      - {type: LSTM, name: lstm, units: $units, return_sequences: $sequences}
      - {type: Dropout, name: drop, rate: 0.1}
layers:
  - {type: Embedding, name: embedding, input_dim: 20, output_dim: 8, mask_zero: true}
  - {type: Add, name: two, inputs: [embedding, embedding]}
  - {block: recurrent, name: a, units: 6}
  - {block: recurrent, name: b, units: 5}
  - {block: recurrent, name: c, units: 4, sequences: false}
""",
    "inputs: {words: {shape: [12], dtype: int32}}\n",
)
document(
    "names_that_collide",
    ["layers_2", "keras_2"],
    """
blocks:
  layers:
    inputs: [keras, x]
    parameters: {layers: required, print: required}
    layers:
      - {type: Dense, name: keras, inputs: keras, units: $layers}
      - {type: Dense, name: x, inputs: x, units: $print}
      - {type: Concatenate, name: out, inputs: [keras, x]}
  keras:
    parameters: {keras: required}
    layers:
      - {block: layers, name: skip, inputs: [x, x], layers: $keras, print: 2}
      - {block: layers, name: i, inputs: [x, skip], layers: 3, print: $keras}
layers:
  - {block: keras, name: name, keras: 4}
  - {block: keras, name: other, keras: 5}
""",
)
document(
    "a_loop_whose_input_is_read_again",
    ["unit"],
    """
blocks:
  unit:
    inputs: [x, memory]
    parameters: {units: required}
    layers:
      - {type: Dense, name: dense, inputs: x, units: $units}
      - {type: Add, name: add, inputs: [dense, memory]}
layers:
  - {type: Dense, name: start, units: 4}
  - {type: Dense, name: memory, units: 4}
  - {block: unit, name: turn, inputs: [start, memory], units: 4, repeat: 3}
  - {type: Concatenate, name: all, inputs: [start, memory, turn]}
""",
)
document(
    "texts_that_look_like_code",
    ["unit"],
    """
blocks:
  unit:
    description: 'It says "hello" \\ and {name}'
    parameters: {units: required}
    layers:
      - {type: Dense, name: '{name}"', units: $units}
      - {type: Dense, name: "it's {x} $$y", units: $units}
      - {type: Add, name: add, inputs: ['{name}"', x]}
layers:
  - {type: Dense, name: stem, units: 1}
  - {block: unit, name: '{a}"b', units: 3}
  - {block: unit, name: "'c'", units: 3}
""",
)


TRAIN = """
  - {type: Dense, name: digit, units: 10, activation: softmax}
train:
  data: {source: sklearn, name: digits, test_split: 0.2}
  loss: sparse_categorical_crossentropy
  optimizer: adam
  epochs: 1
  batch_size: 32
"""

RESNET50 = """specfmt: 1
name: resnet50
description: Names what is in a picture, one of 1,000 things.

inputs:
  image: {shape: [224, 224, 3]}

blocks:
  bottleneck:
    description: Adds to x what three convolutions make of it; project fits x to the sum.
    parameters: {filters: required, stride: 1, project: false}
    layers:
      - {type: Conv2D, name: 0_conv, when: $project, filters: $(4 * filters), kernel_size: 1, strides: $stride}
      - {type: BatchNormalization, name: 0_bn, when: $project, epsilon: 1.001e-5}
      - {type: Conv2D, name: 1_conv, filters: $filters, kernel_size: 1, strides: $stride, inputs: x}
      - {type: BatchNormalization, name: 1_bn, epsilon: 1.001e-5}
      - {type: Activation, name: 1_relu, activation: relu}
      - {type: Conv2D, name: 2_conv, filters: $filters, kernel_size: 3, padding: same}
      - {type: BatchNormalization, name: 2_bn, epsilon: 1.001e-5}
      - {type: Activation, name: 2_relu, activation: relu}
      - {type: Conv2D, name: 3_conv, filters: $(4 * filters), kernel_size: 1}
      - {type: BatchNormalization, name: 3_bn, epsilon: 1.001e-5}
      - {type: Add, name: add, inputs: [0_bn, 3_bn]}
      - {type: Activation, name: out, activation: relu}
  stage:
    description: Bottlenecks in a row, the first one with stride and a projection.
    parameters: {filters: required, depth: required, stride: 1}
    layers:
      - {block: bottleneck, name: block1, filters: $filters, stride: $stride, project: true}
      - {block: bottleneck, name: block$(i + 2), filters: $filters, repeat: $(depth - 1)}

layers:
  - {type: ZeroPadding2D, name: conv1_pad, padding: 3}
  - {type: Conv2D, name: conv1_conv, filters: 64, kernel_size: 7, strides: 2}
  - {type: BatchNormalization, name: conv1_bn, epsilon: 1.001e-5}
  - {type: Activation, name: conv1_relu, activation: relu}
  - {type: ZeroPadding2D, name: pool1_pad, padding: 1}
  - {type: MaxPooling2D, name: pool1_pool, pool_size: 3, strides: 2}
  - {block: stage, name: conv2, filters: 64, depth: 3}
  - {block: stage, name: conv3, filters: 128, depth: 4, stride: 2}
  - {block: stage, name: conv4, filters: 256, depth: 6, stride: 2}
  - {block: stage, name: conv5, filters: 512, depth: 3, stride: 2}
  - {type: GlobalAveragePooling2D, name: avg_pool}
  - {type: Dense, name: predictions, units: 1000, activation: softmax}
"""


def model_of(code: str) -> Any:
    import keras

    keras.backend.clear_session()
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(code, "generated", "exec"), namespace)
    return namespace["build_model"]()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_code_builds_the_same_model(name: str) -> None:
    import keras

    text, functions = DOCUMENTS[name]
    spec = loads(text)
    graph = analyze(spec)
    code = generate(spec, "keras")
    model = model_of(code)
    made = json.loads(model.to_json())
    assert model.count_params() == graph.count()

    without_blocks(graph)
    flat = generate_model(graph)
    assert made == json.loads(model_of(flat).to_json())

    keras.backend.clear_session()
    original = keras.models.model_from_json(to_keras_json(spec))
    assert made == json.loads(original.to_json())

    before = functions_in(flat)
    assert sorted(set(functions_in(code)) - set(before)) == sorted(functions)
    if not functions:
        assert code == flat


def without_blocks(graph: Graph) -> None:
    graph.items = None
    for unit in graph.units:
        if unit.graph is not None:
            without_blocks(unit.graph)


def functions_in(code: str) -> list[str]:
    return [node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]


def test_a_row_as_a_functional_model() -> None:
    spec = loads(DOCUMENTS["layers_in_a_row"][0])
    code = generate(spec, "keras", style="functional")
    model = model_of(code)
    assert type(model).__name__ == "Functional"
    assert model.count_params() == analyze(spec).count()
    assert functions_in(code) == ["conv", "conv_block", "build_model"]


def test_resnet50() -> None:
    """The code that a person writes, with the names of `keras.applications`."""
    import keras

    code = generate(loads(RESNET50), "keras")
    assert sum(1 for line in code.splitlines() if line.strip()) <= 60
    model = model_of(code)
    keras.backend.clear_session()
    original = keras.applications.ResNet50(weights=None)
    named = [(layer.name, type(layer).__name__, layer.output.shape) for layer in model.layers]
    expected = [(layer.name, type(layer).__name__, layer.output.shape) for layer in original.layers]
    assert named[1:] == expected[1:]
    assert model.count_params() == original.count_params() == 25_636_712


def test_training_scripts_have_the_functions() -> None:
    document = loads(DOCUMENTS["conditions"][0].replace("[16, 16, 3]", "[8, 8, 1]") + TRAIN)
    code = generate(document, "keras", part="train")
    assert {"bottleneck", "stage", "build_model"} <= set(functions_in(code))


def test_code_is_clean(tmp_path: Path) -> None:
    for name, (text, _) in DOCUMENTS.items():
        code = generate(loads(text), "keras")
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    rules = "E,F,W,I,N,B,C4,SIM,RET,PIE,UP,ARG,PLR5,PERF"
    for arguments in (["check", "--select", rules, "--ignore", "E501"], ["format", "--check"]):
        run = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--isolated", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout
