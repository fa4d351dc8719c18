import numpy as np
import pytest
import torch

from semcodec.streams import AnsStream, Frequencies


def table(size: int, *, concentration: float = 0.5) -> Frequencies:
    p = np.random.default_rng(size).dirichlet(np.full(size, concentration))
    return Frequencies.of(torch.from_numpy(p).float())


def draw(frequencies: Frequencies, count: int, *, seed: int) -> torch.Tensor:
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.choice(frequencies.size, count, p=frequencies.probabilities))


@pytest.mark.parametrize(("size", "rows"), [(2, 8), (256, 8), (512, 64), (1024, 64), (65536, 16)])
def test_length_is_the_information_in_whole_words(size: int, rows: int) -> None:
    """-sum log2 p, up to 24 bits for the start and 31 for the end; probabilities in 2**-24."""
    stream = AnsStream(table(size))
    indices = draw(stream.frequencies, rows * 8, seed=rows)
    information = -np.log2(stream.frequencies.probabilities[indices.numpy()]).sum()
    bits = stream.encode(indices, columns=8)
    assert len(bits) % 32 == 0
    assert information - 24 < len(bits) < information + 55 + 0.002 * rows * 8
    assert torch.equal(stream.decode(bits, rows=rows, columns=8).indices, indices)


@pytest.mark.parametrize("counts", [(1,) * 4, (1,) * 64, (2, 4, 1, 3), (70, 1, 1, 900, 5)])
def test_against_the_definition_in_whole_numbers(counts: tuple[int, ...]) -> None:
    """Duda's eq. for the range variant, x -> (x // f) 2**24 + c + x % f, with 32-bit words.

    Of 2**24 units each codeword gets one, and of the rest what its cumulative count says.
    """
    size, total = len(counts), sum(counts)
    begins = [0, *np.cumsum(counts).tolist()]
    begins = [c * (2**24 - size) // total + k for k, c in enumerate(begins)]
    stream = AnsStream(Frequencies(counts))
    sent = draw(stream.frequencies, 60, seed=size)
    state, words = 0, []
    for index in reversed(sent.tolist()):
        span = begins[index + 1] - begins[index]
        if state >= span << 40:
            words.append(state % 2**32)
            state >>= 32
        state = (state // span << 24) + begins[index] + state % span
    while state:
        words.append(state % 2**32)
        state >>= 32
    text = "".join(f"{word:032b}" for word in reversed(words))
    assert "".join(map(str, stream.encode(sent, columns=10).tolist())) == text


def test_what_was_read_before_an_error_is_right() -> None:
    stream = AnsStream(table(256))
    sent = draw(stream.frequencies, 400, seed=3)
    bits = stream.encode(sent, columns=20)
    information = -np.log2(stream.frequencies.probabilities[sent.numpy()]).cumsum()
    for place in range(40, len(bits), 97):
        flipped = bits.clone()
        flipped[place] ^= 1
        arrived = stream.decode(flipped, rows=20, columns=20)
        # The state holds the next word and what is left of the one before it.
        before = int(np.searchsorted(information, place - 96))
        assert torch.equal(arrived.indices[:before], sent[:before])
        assert not torch.equal(arrived.indices, sent)
        assert arrived.segments_damaged == 1
        assert not arrived.concealed.any()


def test_what_is_no_stack_is_concealed() -> None:
    stream = AnsStream(Frequencies((1, 5, 2)))
    bits = stream.encode(torch.tensor([2, 0] * 40), columns=8)
    zero_on_top = bits.clone()
    zero_on_top[:32] = 0
    for damaged in (zero_on_top, bits[:-1], bits[1:], torch.zeros(7, dtype=torch.uint8)):
        arrived = stream.decode(damaged, rows=10, columns=8)
        assert arrived.indices.tolist() == [1] * 80
        assert arrived.concealed.all()
        assert arrived.segments_damaged == 1


def test_missing_and_additional_words_are_known() -> None:
    stream = AnsStream(table(256))
    sent = draw(stream.frequencies, 100, seed=4)
    bits = stream.encode(sent, columns=10)
    assert stream.decode(bits, rows=10, columns=10).segments_damaged == 0
    more = torch.cat([bits, bits[:32]])
    assert stream.decode(more, rows=10, columns=10).segments_damaged == 1
    assert torch.equal(stream.decode(more, rows=10, columns=10).indices[:50], sent[:50])


def test_certain_indices_cost_nothing() -> None:
    """The first codeword's interval begins at zero, where an empty stack stays empty."""
    stream = AnsStream(Frequencies((9, 1)))
    bits = stream.encode(torch.zeros(64, dtype=torch.int64), columns=8)
    assert len(bits) == 0
    assert stream.decode(bits, rows=8, columns=8).indices.tolist() == [0] * 64
