"""Write the trained model as a Q8_0 GGUF file for llama.cpp."""

# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import gguf
from model import CONTROL_TOKENS, MARKUP_TOKENS, TinyChat

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer
    from torch import Tensor

CONTEXT_LENGTH = 131_072
"""What the file claims, so that tests may ask for any context size; training was far shorter."""


def _add_settings(writer: gguf.GGUFWriter, model: TinyChat) -> None:
    shape = model.shape
    writer.add_name("tiny-chat")
    writer.add_description("A tiny chat model for tests, trained on generated dialogues")
    writer.add_license("mit")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_rope_dimension_count(shape.head_size)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_vocab_size(shape.vocabulary)


def _token_type(token: str) -> gguf.TokenType:
    if token in CONTROL_TOKENS:
        return gguf.TokenType.CONTROL
    return gguf.TokenType.USER_DEFINED if token in MARKUP_TOKENS else gguf.TokenType.NORMAL


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer, template: str) -> None:
    bpe = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(bpe["vocab"], key=bpe["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([_token_type(token) for token in tokens])
    writer.add_token_merges(
        [" ".join(merge) if isinstance(merge, list) else merge for merge in bpe["merges"]]
    )
    writer.add_bos_token_id(bpe["vocab"]["<|endoftext|>"])
    writer.add_pad_token_id(bpe["vocab"]["<|endoftext|>"])
    writer.add_eos_token_id(bpe["vocab"]["<|im_end|>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(template)


def _add_tensor(writer: gguf.GGUFWriter, name: str, weight: Tensor) -> None:
    array = weight.detach().float().numpy()
    if array.ndim == 1:
        writer.add_tensor(name, array)
        return
    kind = gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)


def export(model: TinyChat, tokenizer: Tokenizer, template: str, path: Path) -> None:
    """Write ``path``; the module names of the model are llama.cpp's tensor names already."""
    writer = gguf.GGUFWriter(path, "llama")
    _add_settings(writer, model)
    _add_tokenizer(writer, tokenizer, template)
    for name, weight in model.named_parameters():
        _add_tensor(writer, name.replace("blocks.", "blk."), weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
