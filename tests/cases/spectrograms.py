"""Cases of the spectrograms: every mode, window, padding and layout."""

from __future__ import annotations

from tests.tools.harness import Case

STFT = {"type": "STFTSpectrogram", "frame_length": 8, "frame_step": 3}
MEL = {
    "type": "MelSpectrogram",
    "fft_length": 16,
    "sequence_stride": 5,
    "num_mel_bins": 6,
    "sampling_rate": 100,
}
FIRST = {"data_format": "channels_first"}
EXPAND = {"expand_dims": True}
WINDOW = [0.5, 1.0, 2.0, 2.5, 2.5, 2.0, 1.0, 0.5]
MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")

CASES = [
    *(Case(STFT | {"mode": mode}, (21, 1)) for mode in MODES),
    *(Case(STFT | {"mode": mode} | EXPAND, (21, 2)) for mode in MODES),
    *(Case(STFT | {"mode": mode} | FIRST, (2, 21)) for mode in ("log", "psd", "stft")),
    *(Case(STFT | {"mode": mode} | FIRST | EXPAND, (3, 20)) for mode in ("log", "psd", "stft")),
    Case(STFT | EXPAND, (20, 1)),
    Case(STFT | EXPAND | FIRST, (1, 20)),
    Case(STFT, (20, 3)),
    Case(STFT | {"padding": "same"}, (20, 2)),
    Case(STFT | {"padding": "same"}, (None, 2), sizes=(19,)),
    Case(STFT | {"padding": "same", "mode": "magnitude"} | FIRST, (1, 23)),
    Case(STFT, (None, 1), sizes=(19,)),
    Case(STFT | {"fft_length": 12}, (20, 1)),
    Case(STFT | {"fft_length": 9}, (20, 1)),
    Case({"type": "STFTSpectrogram", "frame_length": 6}, (20, 1)),
    Case(STFT | {"window": "hamming", "periodic": True, "scaling": "spectrum"}, (20, 1)),
    Case(STFT | {"window": None, "scaling": None}, (20, 1)),
    Case(STFT | {"window": WINDOW}, (20, 1)),
    Case(STFT | {"trainable": False}, (20, 1)),
    Case(
        [STFT | EXPAND, {"type": "Conv2D", "filters": 2, "kernel_size": 2}],
        (30, 2),
        name="STFTSpectrogram-before-a-convolution",
    ),
    Case(
        [{"type": "Conv1D", "filters": 2, "kernel_size": 2}, STFT | EXPAND, {"type": "Flatten"}],
        (30, 2),
        name="STFTSpectrogram-after-a-convolution",
    ),
    Case(MEL, (24,)),
    Case(MEL, (23,)),
    Case(MEL, (None,), sizes=(31,)),
    Case(MEL | {"power_to_db": False}, (24,)),
    Case(MEL | {"mag_exp": 1.0, "power_to_db": False, "min_freq": 5.0, "max_freq": 30.0}, (24,)),
    Case(MEL | {"sequence_length": 12, "window": "hamming"}, (24,)),
    Case(MEL | {"sequence_length": 11, "window": None}, (24,)),
    Case(MEL | {"sequence_length": 8, "window": WINDOW, "fft_length": 17}, (24,)),
    Case(MEL | {"top_db": 5.0, "min_power": 1e-3, "ref_power": 2.0}, (24,)),
    Case({"type": "MelSpectrogram", "sequence_stride": 128}, (2000,)),
    Case(MEL, (24,), dtypes=("int32",)),
    Case([{"type": "TimeDistributed", "layer": MEL}], (3, 24)),
    Case(
        [MEL, {"type": "Permute", "dims": [2, 1]}, {"type": "Dense", "units": 2}],
        (40,),
        name="MelSpectrogram-before-a-Dense",
    ),
]
