"""Which channels carry a party, which repeat another, which carry nothing."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callscope.audio import SAMPLE_RATE, AudioLimits, decode
from callscope.channels import ChannelCheck, check_channels
from callscope.types import ChannelFinding, ChannelLayout

DEAD, DUPLICATED, LEAKING = (
    ChannelFinding.DEAD,
    ChannelFinding.DUPLICATED,
    ChannelFinding.LEAKING,
)
Samples = npt.NDArray[np.float32]


def noise(seconds: float, dbfs: float, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    count = int(seconds * SAMPLE_RATE)
    return (10 ** (dbfs / 20) * rng.standard_normal(count)).astype(np.float32)


def talk(spans: list[tuple[float, float]], seconds: float, seed: int, dbfs: float = -22) -> Samples:
    """Noise with the rise and fall of syllables, in `spans` only."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    syllables = np.clip(np.sin(2 * np.pi * 3.7 * time + seed), 0, None) ** 2
    speaking = sum(((time >= start) & (time < end)).astype(float) for start, end in spans)
    speech: Samples = (noise(seconds, dbfs, seed) * syllables * speaking).astype(np.float32)
    return speech


AGENT = talk([(1, 8), (15, 22), (30, 36)], 40, seed=1)
CUSTOMER = talk([(9, 14), (23, 29), (37, 39)], 40, seed=2)
LINE = noise(40, -65, seed=3)
OTHER_LINE = noise(40, -62, seed=4)
BOTH = AGENT + CUSTOMER + LINE


def check(*channels: Samples) -> ChannelCheck:
    return check_channels(np.stack(channels).astype(np.float32))


def findings(result: ChannelCheck) -> list[tuple[ChannelFinding, ...]]:
    return [report.findings for report in result.reports]


def delayed(samples: Samples, seconds: float) -> Samples:
    lag = round(seconds * SAMPLE_RATE)
    return np.concatenate([np.zeros(lag, np.float32), samples[: len(samples) - lag]])


def test_one_party_per_channel() -> None:
    result = check(AGENT + LINE, CUSTOMER + OTHER_LINE)
    assert result.layout is ChannelLayout.TWO_PARTY
    assert result.active == (0, 1)
    assert findings(result) == [(), ()]


def test_two_parties_who_talk_all_the_time_are_still_two() -> None:
    result = check(talk([(0, 40)], 40, 5) + LINE, talk([(0, 40)], 40, 6) + OTHER_LINE)
    assert result.layout is ChannelLayout.TWO_PARTY


def test_a_party_36_db_fainter_is_heard() -> None:
    result = check(AGENT + LINE, 10 ** (-36 / 20) * CUSTOMER + noise(40, -90, 9))
    assert result.active == (0, 1)


def test_mono_is_mono() -> None:
    result = check(BOTH)
    assert (result.layout, result.active, findings(result)) == (ChannelLayout.MONO, (0,), [()])


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(BOTH, id="equal"),
        pytest.param(0.5 * BOTH, id="-6 dB"),
        pytest.param(-BOTH, id="inverted"),
        pytest.param(delayed(BOTH, 0.01), id="10 ms late"),
        pytest.param(0.7 * delayed(BOTH, 0.003) + noise(40, -60, 7), id="late and noisy"),
    ],
)
def test_the_same_signal_twice_is_mono(copy: Samples) -> None:
    result = check(BOTH, copy)
    assert (result.layout, result.active) == (ChannelLayout.MONO, (0,))
    assert findings(result) == [(), (DUPLICATED,)]


@pytest.mark.parametrize(
    "nothing",
    [
        pytest.param(np.zeros_like(BOTH), id="digital zero"),
        pytest.param(np.full_like(BOTH, 0.01), id="DC"),
        pytest.param(noise(40, -91, 8), id="last bit"),
        pytest.param(noise(40, -45, 8), id="steady noise"),
        pytest.param(0.02 * np.sin(np.arange(len(BOTH)) * 2 * np.pi * 60 / SAMPLE_RATE), id="hum"),
    ],
)
@pytest.mark.parametrize("live", [0, 1])
def test_a_dead_channel_leaves_the_other_with_both_parties(nothing: Samples, live: int) -> None:
    result = check(*((BOTH, nothing) if live == 0 else (nothing, BOTH)))
    assert (result.layout, result.active) == (ChannelLayout.MONO, (live,))
    assert result.reports[1 - live].findings == (DEAD,)
    assert result.reports[1 - live].level_dbfs is None


@pytest.mark.parametrize("gain", [-30, -34])
@pytest.mark.parametrize("late", [0.0, 0.15])
def test_a_party_that_is_only_the_others_crosstalk_is_none(gain: float, late: float) -> None:
    crosstalk = 10 ** (gain / 20) * delayed(BOTH, late) + noise(40, -66, 8)
    result = check(BOTH, crosstalk)
    assert (result.layout, result.active) == (ChannelLayout.MONO, (0,))
    assert result.reports[1].findings == (LEAKING,)


@pytest.mark.parametrize("gain", [-10, -20, -34])
def test_crosstalk_between_two_live_channels_is_reported(gain: float) -> None:
    leak = 10 ** (gain / 20)
    result = check(AGENT + noise(40, -70, 3), CUSTOMER + leak * AGENT + noise(40, -70, 4))
    assert (result.layout, result.active) == (ChannelLayout.TWO_PARTY, (0, 1))
    assert findings(result) == [(), (LEAKING,)]


def test_silence_only_has_nothing_to_listen_to() -> None:
    result = check(np.zeros_like(BOTH), np.zeros_like(BOTH))
    assert (result.layout, result.active) == (ChannelLayout.MONO, ())
    assert findings(result) == [(DEAD,), (DEAD,)]


@pytest.mark.parametrize("samples", [1, 100, 320, 1600, 4000])
def test_the_shortest_clips_are_measured_without_error(samples: int) -> None:
    check(BOTH[SAMPLE_RATE : SAMPLE_RATE + samples], CUSTOMER[:samples])


def test_a_word_is_enough_to_be_alive() -> None:
    result = check(talk([(0.1, 0.5)], 0.6, seed=1) + noise(0.6, -70, 2))
    assert result.active == (0,)


def test_level_is_that_of_the_speech_not_of_the_pauses() -> None:
    often = check(talk([(0, 40)], 40, 1) + LINE).reports[0].level_dbfs
    seldom = check(talk([(10, 14)], 40, 1) + LINE).reports[0].level_dbfs
    assert often is not None
    assert seldom == pytest.approx(often, abs=1.0)


@settings(max_examples=6, deadline=None)
@given(gain=st.floats(0.05, 2.0), swap=st.booleans())
def test_gain_and_order_do_not_change_the_layout(gain: float, swap: bool) -> None:
    pair = (AGENT + LINE, gain * (CUSTOMER + OTHER_LINE))
    result = check(*(pair[::-1] if swap else pair))
    assert (result.layout, result.active) == (ChannelLayout.TWO_PARTY, (0, 1))


@pytest.mark.shared
def test_layouts_of_recorded_and_synthetic_calls(shared_data: Path) -> None:
    def layout(name: str) -> tuple[ChannelLayout, tuple[int, ...]]:
        with (shared_data / name).open("rb") as file:
            result = check_channels(decode(file, AudioLimits()).samples)
        return result.layout, result.active

    for folder in sorted((shared_data / "synth").glob("*/")):
        assert layout(f"synth/{folder.name}/stereo.flac") == (ChannelLayout.TWO_PARTY, (0, 1))
    for name in ("lca_auto_repairs_40/audio.flac", "fw_stereo_diarization/audio.wav"):
        assert layout(f"real/{name}") == (ChannelLayout.TWO_PARTY, (0, 1))
    for name in ("real/fw_jfk/audio.flac", "nasty/stereo_44k1.wav"):
        assert layout(name) == (ChannelLayout.MONO, (0,))
    assert layout("nasty/stereo_one_silent_8k.wav") == (ChannelLayout.MONO, (0,))
