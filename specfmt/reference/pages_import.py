"""The page of every SF4xx code: what it means, an example, what to do."""

from __future__ import annotations

from typing import Final

FORMAT_PAGES: Final[dict[str, tuple[str, str]]] = {
    "SF400": (
        "The source cannot be read",
        """\
The source is neither JSON nor a `.keras` archive nor an `.h5` file, or it is one of these and
damaged: cut off, with merge conflict markers, not UTF-8, or with half a surrogate pair.

Save the architecture again with `model.to_json()`, or resolve the conflict and try again.
""",
    ),
    "SF401": (
        "The source is too large or nested too deeply",
        """\
An architecture is at most 16 MiB of JSON, 500,000 objects and lists, and 160 levels deep. The largest model of
`keras.applications` takes 1.5 MB and 14 levels, so a source beyond these bounds is damaged,
holds weights, or was made to do harm.

Import the architecture alone: the output of `model.to_json()`.
""",
    ),
    "SF402": (
        "No Keras architecture found",
        """\
The source is readable but holds no `Sequential` or functional model. Usual causes:

- The file holds weights only (`save_weights`). Import `model.to_json()` instead.
- The model is a subclass of `keras.Model`. Such a model is Python code and leaves no
  architecture. Where that code is at hand, a functional model with the same layers can be made
  of it and saved instead:

      x = keras.Input((28, 28, 1))
      functional = keras.Model(x, model.call(x))
      functional.save("model.keras")

- The file is a tf.js *graph model*, which holds TensorFlow operations. Convert the Keras model
  again with `--output_format tfjs_layers_model`.
""",
    ),
    "SF403": (
        "A value has the wrong type",
        """\
Keras writes something else at this place, for instance a list of layers or the name of a
layer. The pointer leads to the value. The file was edited by hand or damaged.
""",
    ),
    "SF404": (
        "A key is missing",
        """\
Keras always writes this key, for instance `layers` in the config of a model or `batch_shape`
in the config of an `InputLayer`. The file was edited by hand or damaged.
""",
    ),
    "SF410": (
        "A name is used twice",
        """\
Calls refer to layers by name, so two layers (or a layer and an input) of one model cannot share
one. Rename one of them where it is defined and in every `inbound_nodes` that means it.
""",
    ),
    "SF411": (
        "A call refers to nothing",
        """\
A call names a layer that the model does not have, a call of it that does not exist, or one of
its outputs that does not exist. Calls of a layer are counted from 0; Keras 2 counts those of a
nested model from 1, and both are understood.
""",
    ),
    "SF412": (
        "The layers form a cycle",
        """\
A layer reads what is computed from its own output, so no order of computation exists. Keras
cannot build such a model either; the file was edited by hand or damaged.
""",
    ),
    "SF413": (
        "The model's inputs or outputs are not usable",
        """\
`input_layers` has to name `InputLayer`s, each once and at least one of them, and
`output_layers` at least one tensor. In a Sequential an `InputLayer` can only come first.
""",
    ),
    "SF420": (
        "An option has no counterpart in Keras 3",
        """\
The layer exists in Keras 3, but not with this option, and leaving the option out would change
what the model computes. So the layer is kept as one that specfmt does not know: generated code has a
class for it that is to be written, and everything around it is translated. Examples:

| option | meaning | instead |
|---|---|---|
| `BatchNormalization(mode=1)` | statistics of a sample | `LayerNormalization` is close |
| `BatchNormalization(mode=2)` | batch statistics at inference too | call with `training: true` |
| `Embedding(dropout=...)` | drops whole words | `SpatialDropout1D` is close |
| `time_major=True` | time is the first axis | `Permute` around the layer |
| `border_mode="full"` | padding on every side | `ZeroPadding` and `valid` |
| `Merge(mode="cos")`, a function as mode | | operations of `keras.ops` |

`torch:` or `define:` in the spec say what the layer computes; or rebuild this part in Keras 3.
""",
    ),
    "SF421": (
        "A layer has an option that specfmt does not know",
        """\
The option is in no release of Keras that specfmt knows for this layer, and it is switched on.
Dropping it could change the model, so the layer is kept as one that specfmt does not know, with a class
to be written in generated code. Remove the option from the file if the model does not depend on it.
""",
    ),
    "SF422": (
        "A layer type has no counterpart in Keras 3",
        """\
Layers of Keras 0 and 1 such as `Highway`, `MaxoutDense` and `SReLU` were never part of later
releases, and their weights fit no layer of today. The layer is kept as one that specfmt does not know,
with a class to be written in generated code.
""",
    ),
    "SF423": (
        "An operation has lost its operands",
        """\
tf.keras 2 writes some operations, such as `tf.einsum` and `x == y`, without the tensors that
they read. The model cannot be restored from such a file, by Keras neither. Rebuild this
operation in Keras 3.
""",
    ),
    "SF430": (
        "Kept a Lambda layer unread",
        """\
A `Lambda` layer holds Python bytecode. It is never decoded and never run: bytecode from a file
can do anything. The layer becomes `{type: Custom}` with its payload, so that it survives the
way back, but it has no shape and no PyTorch counterpart.

Replace it by operations of `keras.ops` or by a layer class of your own.
""",
    ),
    "SF431": (
        "Kept something specfmt does not know",
        """\
The class of a layer, activation, initializer, regularizer, constraint, loss, metric, optimizer
or schedule is your own, or one that today's Keras has not. It becomes `{type: Custom}` with its
class and config and comes back out as it was; a function is
`{type: Custom, class: function, config: dice_loss}`. Nothing else depends on it:

- Initializers, regularizers and constraints act in training only. PyTorch code starts such a
  weight as Keras does by default and says so in a comment; trained weights overwrite it.
- Losses, metrics, optimizers and schedules stand in training scripts only.
- An activation computes, so the model runs once its function is written.

Generated Keras code imports what has a module (`class: package.module.Class`); everything else
is a small function or class at the top of the file, which raises `NotImplementedError` and says
what to write. Write it there, or give `class:` the place of your code.
""",
    ),
    "SF432": (
        "A detail was left out",
        """\
Something was not carried over that does not change what the model computes, such as the second
bias of `CuDNNLSTM`, which is added to the first, the dropout of Keras 1's `Embedding`, which
acted in training only, or a part of the training configuration that Keras could not use either.
""",
    ),
    "SF433": (
        "Kept a TensorFlow operation as it is",
        """\
tf.keras 2 recorded a TensorFlow function that `keras.ops` does not have, or with an argument
that is computed by the model. It becomes `{type: Custom}`. Rebuild it with operations of
`keras.ops` to generate code from it.
""",
    ),
    "SF434": (
        "Names with a slash were rewritten",
        """\
Keras 2 takes names such as `conv1/bn`, and its own DenseNet and MobileNetV3 have them; Keras 3
refuses them. A `/` becomes `_`. Weights of such a file are found by the order of the layers.
""",
    ),
    "SF435": (
        "Keras 3 joins masks in another way",
        """\
A mask from `Masking` or `Embedding(mask_zero=True)` reaches this layer on a way on which Keras 3
treats it otherwise than Keras 2, so that masked steps may give other numbers.  Mostly the import keeps
the meaning: it gives the call the mask of Keras 2 as an argument, or makes an operation of a layer that
leaves masked steps out in Keras 3 alone.  Here it could not.  The generations differ in this:

- `Add` and its like join masks by `and` in Keras 2, by `or` in Keras 3, which gives none where an
  input has none; `Concatenate` along the last axis differs in the same way;
- `Multiply`, `Maximum` and `Minimum` leave masked steps out in Keras 3;
- `Identity`, `Rescaling` and `Normalization` drop the mask in Keras 2;
- `Softmax` and `MultiHeadAttention` treat a row that is masked throughout in their own ways, and
  `MultiHeadAttention` takes masks off what it reads in Keras 3;
- a recurrent layer with initial states heeds the mask of its sequences in Keras 2 only.

Give the layer its mask as an argument: `inputs: {sequences: x, mask: m}`.
""",
    ),
    "SF438": (
        "Keras 3 weighs a loss with another mask",
        """\
In training Keras weighs the loss of an output with the mask that the output carries.  Keras 3 joins
masks in another way than Keras 2 (`specfmt explain SF435`), and this output's mask is another one now.
What the model computes is the same; training it further weighs masked steps in another way.  Sample
weights say it explicitly.
""",
    ),
    "SF439": (
        "Code of others",
        """\
The model names classes or functions that are not Keras's: layers, losses, metrics, initializers of
its author's. Generated code imports them at the top and calls them, so running it runs their code.
The finding lists them all.

`train`, `verify` and `convert` run the generated program only if each of them is allowed, by its
path or the start of it: `--allow my_package.losses.Focal`, `--allow my_package`. Look at the code
first. What is in the standard library, or in an installed package that does not extend Keras, is
refused (SF129).
""",
    ),
    "SF437": (
        "A subclass of a Keras model was read as that model",
        """\
The class is derived from `keras.Model` or `keras.Sequential`, and its config holds all layers:
it was built as `Model(inputs, outputs)`. It is read as the functional or sequential model that
it is, nested ones too. What its methods do besides (a `train_step` or losses of its own) is
Python code, which no model file holds.
""",
    ),
    "SF436": (
        "Keras 3 overrules a fixed training mode",
        """\
The model calls a layer, or a model inside it, with `training: true` or `training: false`. Keras 2
keeps that always. Keras 3 keeps it while the model is called (`model(x)`); `fit` sets `training` to
true for all layers, `evaluate` and `predict` to false.

- `training: true` (dropout that stays on, to sample predictions): call the model instead of
  `predict`. The PyTorch program keeps the noise in `eval()` too; `BatchNormalization` follows
  `train()` and `eval()` there, as in `fit` and `predict`.
- `training: false` (a base model whose batch statistics stay fixed): give its layers
  `trainable: false`; frozen `BatchNormalization` works as at inference in every generation. To
  train its `gamma` and `beta` all the same, call it so in a loop of your own. Where noise is to
  stay off, set its `rate` to 0.
""",
    ),
}
"""Code -> title and page in Markdown."""
