"""The pages of the 5xx codes: trained weights and the comparison of both targets."""

from __future__ import annotations

import inspect
from typing import Final


def _page(text: str) -> str:
    return inspect.cleandoc(text)


WEIGHT_PAGES: Final[dict[str, tuple[str, str]]] = {
    "SF500": (
        "The weight file cannot be read",
        _page("""
        An HDF5 file is first looked through in a process of its own, with 1 s of processor time and 1 s
        more for each MiB (at most 60 s), 256 MiB of memory and 4 bytes more for each byte (at most
        1 GiB): damaged files make the library loop for ever.

        The file is none of `.keras`, `.weights.h5`, `.h5`, `.safetensors` and `.pt`, or it is one
        of them and damaged: cut off, with a checksum that does not fit, or with parts that
        point outside the file.  Its content decides, not its name.  Save it again.
        """),
    ),
    "SF501": (
        "Missing weight",
        _page("""
        The model has a weight that the file has not.  The message says where it was looked for:
        the group of an HDF5 file, or the key of a `.safetensors` or `.pt` file.

        The spec must describe the model that the file was saved from: `specfmt import` gives
        that spec from a `.keras` file.
        """),
    ),
    "SF502": (
        "Weight left over",
        _page("""
        The file has a weight that the model has not.  The state of optimizers, metrics and
        random generators is left aside without a finding; everything else must be used.
        """),
    ),
    "SF503": (
        "Weight of another shape",
        _page("""
        A weight of the file does not have the shape that the spec gives it.  For example a
        `Dense` after a `Flatten` has as many rows as the image has numbers: an input of another
        size needs another kernel.
        """),
    ),
    "SF504": (
        "Weight of another kind",
        _page("""
        A weight of the file is no tensor of numbers, or of a kind (complex, quantized, sparse)
        that no weight of the model is.
        """),
    ),
    "SF505": (
        "Unsafe weight file",
        _page("""
        The file would run code, read another file or take far more memory than its size when
        opened: a pickle that names a function, an HDF5 file with links to other files, an
        archive that unpacks to a hundred times its size.  specfmt never executes anything from
        a file.  In PyTorch, save the `state_dict` alone:

            torch.save(model.state_dict(), "weights.pt")
        """),
    ),
    "SF506": (
        "Destination that cannot be",
        _page("""
        The name of the destination says its format: `.safetensors`, `.pt` or `.pth` for PyTorch,
        `.weights.h5` for Keras.  It is a file, not a folder, and never the source itself: trained
        weights are not overwritten.  `specfmt convert` replaces no file of its folder that differs
        from what it would write, unless `--force` is given.
        """),
    ),
    "SF507": (
        "Constant with another value",
        _page("""
        Where a PyTorch module has a parameter that Keras has not (an LSTM's second bias, a scale
        that is switched off), the generated module holds it at a constant and freezes it.  The file
        gives it another value, which Keras could not express.  Train the generated module as it
        is, without unfreezing it.
        """),
    ),
    "SF508": (
        "Weights in a layer without definition",
        _page("""
        A `Custom` layer holds weights that the spec says nothing of.  `specfmt import` of a file
        with weights writes their shapes:

            - {type: Custom, class: package.module.Scale, weights: {scale: [8]}}

        Or register a definition of the layer under the entry point group `specfmt.layers`.
        """),
    ),
    "SF510": (
        "A program of the comparison failed",
        _page("""
        `specfmt verify` runs the generated Keras and PyTorch programs in processes of their own.
        One of them could not be started or ended with an error, whose last line is in the message.
        Install the framework (`pip install "specfmt[keras,torch]"`), or generate the code and run it.
        """),
    ),
    "SF511": (
        "No input fits",
        _page("""
        The spec leaves sizes of its inputs open, and no sizes up to 131,072, with inputs of at most
        4,194,304 numbers, pass through all layers: `specfmt verify` tries different and equal ones,
        and multiples of what pooling divides by.  Give the sizes in `inputs:`.
        """),
    ),
    "SF520": (
        "The file is no reference",
        _page("""
        `--reference` takes an `.npz` file with inputs and outputs of the original: `x0`, `x1`, ...
        and `y0`, `y1`, ... in the order of the model's inputs and outputs, or arrays under their
        names.

            outputs = model.predict(inputs)
            np.savez("reference.npz", x0=inputs, y0=outputs)
        """),
    ),
}
