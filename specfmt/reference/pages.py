"""The pages of the codes of checking (12x, 2xx) and of targets (3xx)."""

from __future__ import annotations

import inspect


def _page(text: str) -> str:
    return inspect.cleandoc(text)


SPEC_PAGES: dict[str, tuple[str, str]] = {
    "SF120": (
        "Unknown type",
        _page("""
        The `type` (or `op`) of an entry is not one that specfmt knows.

            - {type: Desne, units: 10}      # did you mean Dense?

        `specfmt layers` lists all types.  A class of your own is
        `{type: Custom, class: package.module.Class, config: {...}}`.
        """),
    ),
    "SF121": (
        "Unknown key",
        _page("""
        A mapping has a key that its class does not take.  Keys are Keras's constructor
        arguments; the message lists them, or names the closest one.

            - {type: Dense, unit: 10}       # units
        """),
    ),
    "SF122": (
        "Missing field",
        _page("""
        A field without a default is not given.

            - {type: Dense}                 # expected Dense to have `units`
        """),
    ),
    "SF123": (
        "Wrong value",
        _page("""
        A value is of the wrong type, out of range, or not one of the allowed words.

            - {type: Dense, units: -3}      # expected a positive integer
            - {type: Dense, units: "3"}     # a string is not a number
        """),
    ),
    "SF124": (
        "Old spelling",
        _page("""
        The key or word is from an earlier Keras; the message names today's.

            optimizer: {type: Adam, lr: 0.001}      # learning_rate
            - {type: Convolution2D, nb_filter: 8, nb_row: 3, nb_col: 3}
            - {type: Dense, units: 3, input_shape: [4]}

        `specfmt fmt --fix FILE` rewrites them and keeps your comments: keys and words get today's
        names, `input_shape` becomes the model's `inputs:`, `decay` an `InverseTimeDecay`.  What
        has no counterpart today stays, and stays reported.
        """),
    ),
    "SF125": (
        "Not an entry",
        _page("""
        The document is a mapping with `specfmt`, `inputs` and `layers`; each entry of `layers`
        is a mapping with exactly one of `type` (a layer), `reuse` (a further call of one) or
        `op` (a tensor operation).
        """),
    ),
    "SF129": (
        "A class that a document may not name",
        _page("""
        Generated code imports and calls the class behind `class:`.  It may be your own, or one of
        an extension of Keras (a package that requires Keras or TensorFlow): never something of
        Python's standard library, of TensorFlow or of another installed package, which would let
        a file run any program.

            - {type: Custom, class: subprocess.Popen, config: {args: [...]}}      # refused
            - {type: Custom, class: my_package.layers.Mixing}                     # yours

        Where an installed package is to be trusted all the same, `--allow package.module.Class`
        says so.
        """),
    ),
    "SF201": (
        "Unknown tensor",
        _page("""
        `inputs:` or `outputs:` names something that is neither a layer, a call nor a model
        input.  Names are those of `name:`, or automatic ones: `dense`, `dense_1`, ...
        """),
    ),
    "SF202": (
        "Cycle",
        _page("""
        Layers read each other in a circle, so none of them can be computed first.  The message
        shows the circle; change one `inputs:` on it.
        """),
    ),
    "SF203": (
        "Duplicate name",
        _page("""
        Two entries, or an entry and a model input, have the same name.  To call a layer a second
        time with the same weights, write `{reuse: name, inputs: ...}`.
        """),
    ),
    "SF204": (
        "Missing input",
        _page("""
        A call lacks an argument that it needs, or the first layer does not say which of several
        model inputs it reads.

            - {type: MultiHeadAttention, num_heads: 2, key_dim: 8, inputs: [q]}   # value is missing
        """),
    ),
    "SF205": (
        "Unknown call argument",
        _page("""
        `inputs:` is a mapping from the arguments of Keras's `call` to tensors.  The message
        lists the arguments that this layer takes.
        """),
    ),
    "SF206": (
        "No such output",
        _page("""
        `name:1` is the second output of a layer that has several, such as an LSTM with
        `return_state: true`.  This layer has fewer.
        """),
    ),
    "SF207": (
        "No model inputs",
        _page("""
        Without the shape of its inputs a model cannot be checked or generated.

            inputs:
              features: {shape: [4]}        # without the batch axis; null is any size
        """),
    ),
    "SF208": (
        "Reuse of nothing",
        _page("""
        `reuse:` names the entry that defines a layer or model: not a model input, and not
        another `reuse`.
        """),
    ),
    "SF209": (
        "Nested model called with another shape",
        _page("""
        A model inside the model declares the shapes of its own `inputs:`; the tensors it is
        called with must fit them.
        """),
    ),
    "SF210": (
        "Shapes do not fit",
        _page("""
        A layer cannot take its inputs: a wrong number of axes, a size that must be known and is
        not, a kernel larger than the picture, sizes that cannot be added.  The message says what
        was expected and what was received.  `specfmt summary` shows all shapes up to the mistake.
        """),
    ),
    "SF211": (
        "Shared layer with different shapes",
        _page("""
        A layer that is called several times has one set of weights, made for the first call.
        Its other inputs must have the sizes that those weights fit.
        """),
    ),
    "SF212": (
        "No layers",
        _page("""
        `layers:` is an empty list.  A model, nested ones too, needs at least one layer.

            layers:
              - {type: Dense, units: 3}
        """),
    ),
    "SF213": (
        "The training section does not fit the model",
        _page("""
        The data, the losses or the metrics of `train:` cannot be those of this model: they name
        an output or an input that it does not have, samples have another shape than its input,
        or there are more classes than outputs.  It is found before any script runs.

            inputs: {features: {shape: [5]}}
            train: {data: {source: sklearn, name: iris}}     # iris has 4 features

        Change the section, or the model's inputs and outputs.
        """),
    ),
    "SF214": (
        "An input stands twice in `input_structure`, or not at all",
        _page("""
        `input_structure:` says in which lists and mappings the model takes its inputs.  Each of
        `inputs:` stands in it exactly once.

            inputs: {a: {shape: [4]}, b: {shape: [4]}}
            input_structure: {left: a, right: b}
        """),
    ),
    "SF300": (
        "No PyTorch form of this layer",
        "The layer generates Keras code only.  `specfmt layers` shows what each target knows.",
    ),
    "SF301": (
        "PyTorch cannot express this option",
        _page("""
        The layer exists in PyTorch, but this option computes something that PyTorch cannot
        reproduce.  specfmt never writes an approximation; change the option or generate Keras.
        """),
    ),
    "SF302": (
        "Not a chain",
        _page("""
        `--style sequential` needs a model with one input and one output in which each layer
        reads the one before it; in PyTorch every step must also be a stock module.
        Use `--style auto`.
        """),
    ),
    "SF304": (
        "Word without a PyTorch form",
        "The optimizer, loss, metric or callback generates Keras code only.",
    ),
    "SF305": (
        "A shape that Keras JSON needs is not known",
        _page("""
        Keras 3 writes the shape of each tensor into a model's JSON.  Behind a `Custom` layer
        without `shape:` it is not known, so the model cannot be exported.

            - {type: Custom, class: package.module.Class, shape: [8]}     # without the batch axis
        """),
    ),
    "SF307": (
        "A shape that generated code needs is not known",
        _page("""
        Behind a `Custom` layer without `shape:` shapes are not known.  Where a target needs them,
        specfmt takes the first shape with which everything behind the layer can be computed, and
        says so in the generated class.  Here no shape fits: say it.

            - {type: Custom, class: package.module.Class, shape: [8]}     # without the batch axis
            - {type: Custom, class: package.module.Two, shape: [[8], [4, 8]]}     # two outputs
        """),
    ),
    "SF310": (
        "JSON cannot express it",
        _page("""
        JSON has no infinity and no "not a number", and `export` writes nothing that is no JSON.
        The value stands in the config of a layer or word of your own: leave it out there, or give
        a large finite number.
        """),
    ),
    "SF309": (
        "Code of others is not run unasked",
        _page("""
        `train`, `verify` and `convert` run the generated program, and that imports and calls the
        classes which the document names with `class:`.  A document is a file like any other, so
        each of them is run only if you say so:

            specfmt train model.yaml -t keras --allow my_package.losses.Focal
            specfmt verify model.yaml --allow my_package          # everything in it

        Your modules are looked for in the folder you stand in, after everything installed.
        """),
    ),
    "SF312": (
        "A package is not installed",
        _page("""
        `train` looks for every package that the script imports before it starts, `verify` for both
        frameworks.  The command in the help installs what is missing:

            pip install "specfmt[torch]"          # PyTorch and what its training scripts import
            pip install "specfmt[keras]"          # the same for Keras
            pip install "specfmt[weights]"        # reads and writes .h5, .keras and .safetensors
            pip install "specfmt[tensorboard]"    # the callback TensorBoard
            pip install "specfmt[datasets]"       # torchvision, which downloads mnist, cifar10, ...

        In a checkout write `.` instead of `specfmt`.  A script with `--data FILE` downloads nothing
        and does not need torchvision.
        """),
    ),
    "SF313": (
        "Not offered",
        _page("""
        A target, an option of a target, a format, a starter or a page of `explain` is asked for that
        does not exist.  `specfmt generate --help` lists what `keras` and `torch` take; an option of
        one is refused by the other (`--flavor` by torch).  In Python it is a
        `specfmt.OptionError`, which is also a `ValueError`.

            specfmt generate model.yaml --target pytorch       # the target is called torch
        """),
    ),
    "SF308": (
        "A class for no layer",
        _page("""
        `--custom module:Class` gives the PyTorch class that computes what a layer computes which
        specfmt does not know.  It stands for the layers of the Keras class of the same name; for
        another name write it first: `--custom ChannelGate=my_layers:Gate`, or the layer's own.

            specfmt generate model.yaml -t torch --custom my_layers:Scale
        """),
    ),
    "SF306": (
        "Keras 2 cannot express it",
        _page("""
        `specfmt export --format keras2` writes what Keras 2 (tf_keras) loads.  The message names
        what Keras 2 does not have, or would compute in another way:

        - layers (RMSNormalization, GroupQueryAttention), options (`lora_rank`, `renorm`,
          `rms_scaling`, `use_gate`, a `seed` of recurrent and attention layers), activations
          (celu, glu, sparsemax, ...), quantized dtypes;
        - the `hard_sigmoid` of Keras 3: that of Keras 2 is `{type: hard_sigmoid, slope: 0.2}`;
        - operations that are no function of TensorFlow (log2, hard_silu, einsum), and operands
          of several dtypes, which TensorFlow does not convert: put a `cast` in between;
        - masks that reach a layer, or an output, in another form: sums and products join them
          in another way, Concatenate along its last axis too; Identity, Rescaling and
          Normalization drop them; GroupNormalization reads them; Softmax treats a row that is
          masked throughout in its own way, and so does a MultiHeadAttention with `dropout`;
        - `trainable: false` of a layer that holds others, such as Bidirectional and LSTM: Keras 2
          freezes the parts too.  Freeze the inner layer, or a model around it.

            - {type: Dense, units: 3, activation: celu}         # elu exists in both
            - {type: Dense, name: my layer, units: 3}           # TensorFlow takes no space

        `--format keras3` writes the model as it is.
        """),
    ),
}
