"""Sharing the first layers between windows changes nothing but the time it takes."""

from pathlib import Path
from typing import Any

import pytest
import torch

from callscope.audio import AudioLimits, decode
from services.diarize.filterbank import Filterbank
from services.diarize.segmentation import FRAME_STEP, WINDOW


@pytest.mark.filterwarnings(r"ignore:\s*torchcodec is not installed")
@pytest.mark.parametrize("gain", [1.0, 0.003], ids=["as it is", "hardly audible"])
def test_windows_come_out_as_from_the_model_itself(
    models_dir: Path, sample: Path, gain: float
) -> None:
    from pyannote.audio import Model

    model: Any = Model.from_pretrained(models_dir / "segmentation-3.0/pytorch_model.bin")
    model.eval()
    with (sample / "mono.wav").open("rb") as file:
        heard = torch.from_numpy(decode(file, AudioLimits()).samples[0][: 2 * WINDOW] * gain)
    starts = [0, 148 * FRAME_STEP, 3 * 148 * FRAME_STEP]
    shared = Filterbank(model.sincnet, WINDOW).features(heard, starts)
    with torch.inference_mode():
        apart = model.sincnet(torch.stack([heard[None, at : at + WINDOW] for at in starts]))
    assert shared.shape == apart.shape
    torch.testing.assert_close(shared, apart, rtol=0, atol=2e-4)
