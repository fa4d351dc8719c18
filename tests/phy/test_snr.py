import pytest

from phy.snr import (
    ebn0_db_from_esn0_db,
    esn0_db_from_ebn0_db,
    esn0_db_from_noise_variance,
    noise_variance_from_esn0_db,
)


def test_noise_variance() -> None:
    assert noise_variance_from_esn0_db(0) == 1
    assert noise_variance_from_esn0_db(10) == pytest.approx(0.1, rel=1e-15)
    assert noise_variance_from_esn0_db(-3) == pytest.approx(1.9952623149688795, rel=1e-15)


@pytest.mark.parametrize("esn0_db", [-40.0, -1.5, 0.0, 7.0, 60.0])
def test_round_trips(esn0_db: float) -> None:
    back = esn0_db_from_noise_variance(noise_variance_from_esn0_db(esn0_db))
    assert back == pytest.approx(esn0_db, abs=1e-12)
    ebn0_db = ebn0_db_from_esn0_db(esn0_db, bits_per_symbol=6, code_rate=3 / 4)
    back = esn0_db_from_ebn0_db(ebn0_db, bits_per_symbol=6, code_rate=3 / 4)
    assert back == pytest.approx(esn0_db, abs=1e-12)


def test_energy_per_bit() -> None:
    # Uncoded QPSK: Es = 2 Eb. Rate 1/2 64-QAM: Es = 3 Eb.
    assert esn0_db_from_ebn0_db(0, bits_per_symbol=2, code_rate=1) == pytest.approx(
        3.0103, abs=1e-5
    )
    assert esn0_db_from_ebn0_db(7, bits_per_symbol=6, code_rate=0.5) == pytest.approx(
        11.7712, abs=1e-4
    )


def test_refused() -> None:
    for variance in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="noise_variance must be positive and finite, got"):
            esn0_db_from_noise_variance(variance)
    for convert in (esn0_db_from_ebn0_db, ebn0_db_from_esn0_db):
        with pytest.raises(ValueError, match="bits_per_symbol must be positive and finite, got 0"):
            convert(1.0, bits_per_symbol=0, code_rate=0.5)
        for code_rate in (0.0, 1.1):
            with pytest.raises(ValueError, match=r"code_rate must be in \(0, 1\], got"):
                convert(1.0, bits_per_symbol=2, code_rate=code_rate)
