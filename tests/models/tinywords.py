"""A tiny language model with random weights that says English words.

``python -m tests.models.tinywords out.gguf`` writes the same bytes every time: a llama of two
layers, 374 KB, with a context of 131072 tokens, ChatML, fill-in-the-middle tokens and heads of 32
(so that its KV cache can be quantised). Its answers are valid UTF-8, at most about a hundred words
long, end by themselves, depend on the prompt, and are deterministic at temperature 0.

How: three dimensions of the embeddings are left alone by all layers. Dimension 0 is a constant, so
column 0 of the output matrix is a bias per token, which only lets whole words and the end of the
turn be sampled. Dimensions 1 and 2 place the words on an arc, and each word prefers successors
that lie one step further on; behind the last word lies the end of the turn. The prompt ends with a
newline, which has no place on the arc: where an answer starts is up to the random weights.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH = 64
LAYERS = 2
HIDDEN = 128
HEADS = 2
KV_HEADS = 1
HEAD_WIDTH = 32
CONTEXT = 131072
SEED = 0

ARC = 5.2  # radians from the first word to the last; less than a full turn
STEP = 0.12  # radians from a word to its likeliest successor
PULL = 24.0  # how strongly that successor is preferred
FREE = 3  # the first dimensions, which no layer writes to

BEGIN, END = 0, 2
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
)
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
WORDS = """
the of and to in is that for it as was with be by on not he his but at are this have from or had
an they which one you were all her she there would their we him been has when who will no more if
out so up said what its about than into them can only other time new some could these two may
first then do any like my now over such our man me even most made after also did many off before
must well back through years where much your way down should because long each just state those
people too mr how little good world make very year still see own work men day get here old life
both between being under three never know same last another while us might great go come since
against right came take used himself few house use place during high without again home around
small however found mrs thought went say part once general upon school every don does got united
left number course war until always away something fact water less public put think almost hand
enough far took head yet government system set told nothing night end why called eyes find going
look asked later knew
"""


@dataclass(frozen=True)
class Vocabulary:
    """A byte-level BPE vocabulary: special tokens, 256 bytes, and what the words merge into.

    ``words`` are the positions of the tokens that are a whole word with a leading space.
    """

    tokens: tuple[str, ...]
    merges: tuple[str, ...]
    words: tuple[int, ...]


def byte_characters() -> dict[int, str]:
    """GPT-2's printable stand-in for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    stand_ins = [*printable, *range(256, 256 + len(others))]
    return dict(zip([*printable, *others], map(chr, stand_ins), strict=True))


def vocabulary() -> Vocabulary:
    """The vocabulary that merges every word of ``WORDS`` from left to right."""
    characters = byte_characters()
    index = {token: i for i, token in enumerate(SPECIAL)}
    for byte in range(256):
        index[characters[byte]] = len(index)
    merges: list[str] = []
    words: list[int] = []
    for word in WORDS.split():
        first, *rest = (characters[byte] for byte in f" {word}".encode())
        for character in rest:
            if first + character not in index:
                index[first + character] = len(index)
                merges.append(f"{first} {character}")
            first += character
        words.append(index[first])
    return Vocabulary(tuple(index), tuple(merges), tuple(words))


def directions(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unit vectors at ``angles``; a dimension of size 2 is appended."""
    return np.stack((np.cos(angles), np.sin(angles)), axis=-1)


def tensors(words: Vocabulary) -> dict[str, NDArray[np.floating]]:
    """The weights by GGUF name; matrices are 16-bit, (outputs, inputs)."""
    random = np.random.default_rng(SEED)

    def matrix(outputs: int, inputs: int, scale: float = 0.08) -> NDArray[np.float64]:
        return random.standard_normal((outputs, inputs)) * scale

    size = len(words.tokens)
    embedding = matrix(size, WIDTH, 1.0)
    embedding[:, :FREE] = (8.0, 0.0, 0.0)
    output = matrix(size, WIDTH, 0.02)
    output[END] = 0.0
    output[:, :FREE] = (-4.0, 0.0, 0.0)
    places = np.linspace(0.0, ARC, len(words.words))
    embedding[list(words.words), 1:FREE] = 8.0 * directions(places)
    output[list(words.words), 0] = 0.0
    output[list(words.words), 1:FREE] = PULL * directions(places - STEP)
    output[END, :FREE] = (0.0, *(PULL * directions(np.array(ARC))))
    model: dict[str, NDArray[np.floating]] = {
        "token_embd.weight": embedding.astype(np.float16),
        "output_norm.weight": np.ones(WIDTH, np.float32),
        "output.weight": output.astype(np.float16),
    }
    for layer in range(LAYERS):
        attention_output = matrix(WIDTH, HEADS * HEAD_WIDTH, 0.2)
        down = matrix(WIDTH, HIDDEN)
        attention_output[:FREE] = down[:FREE] = 0.0
        block = {
            "attn_q": matrix(HEADS * HEAD_WIDTH, WIDTH, 0.3),
            "attn_k": matrix(KV_HEADS * HEAD_WIDTH, WIDTH, 0.3),
            "attn_v": matrix(KV_HEADS * HEAD_WIDTH, WIDTH, 0.15),
            "attn_output": attention_output,
            "ffn_gate": matrix(HIDDEN, WIDTH),
            "ffn_up": matrix(HIDDEN, WIDTH),
            "ffn_down": down,
        }
        for name in ("attn_norm", "ffn_norm"):
            model[f"blk.{layer}.{name}.weight"] = np.ones(WIDTH, np.float32)
        for name, weights in block.items():
            model[f"blk.{layer}.{name}.weight"] = weights.astype(np.float16)
    return model


def write_tinywords(path: Path) -> None:
    """Write the model to ``path``."""
    words = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tinywords")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HEAD_WIDTH)
    writer.add_rope_freq_base(1e6)
    writer.add_vocab_size(len(words.tokens))

    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words.tokens)
    writer.add_token_types(
        [gguf.TokenType.CONTROL] * len(SPECIAL)
        + [gguf.TokenType.NORMAL] * (len(words.tokens) - len(SPECIAL))
    )
    writer.add_token_merges(words.merges)
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_pad_token_id(BEGIN)
    writer.add_add_bos_token(False)
    for name in ("prefix", "suffix", "middle"):
        key = f"tokenizer.ggml.fim_{name[:3]}_token_id"
        writer.add_uint32(key, SPECIAL.index(f"<|fim_{name}|>"))
    writer.add_chat_template(TEMPLATE)

    for tensor, weights in tensors(words).items():
        writer.add_tensor(tensor, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write_tinywords(Path(sys.argv[1]))
