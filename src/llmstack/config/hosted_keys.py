"""The keys of ``models.ini`` that say what a tier costs, and where a hosted one is."""

from __future__ import annotations

from llmstack.config.key import Key

PRICES = (
    Key("tier", "price_input_per_1m", "USD", "", "Price of a million input tokens."),
    Key("tier", "price_output_per_1m", "USD", "", "Price of a million output tokens."),
    Key("tier", "price_cache_read_per_1m", "USD", "", "Price of a million cached input tokens."),
    Key("tier", "price_cache_write_per_1m", "USD", "", "Price of caching a million tokens."),
    Key(
        "tier",
        "budget_usd_per_day",
        "USD",
        "",
        "Most that the tier may cost on a day of local time; then auto passes it over.",
    ),
    Key("tier", "budget_usd_per_month", "USD", "", "Most that the tier may cost in a month."),
    Key(
        "tier",
        "fallback",
        "names",
        "",
        "Tiers to ask, in this order, when this one cannot answer.",
    ),
)

HOSTED = (
    Key("tier", "aws_model_id", "text or $NAME", "", "Bedrock's name of the model.", of="aws"),
    Key(
        "tier",
        "aws_model_id_next",
        "text or $NAME",
        "aws_model_id",
        "Bedrock model on the next channel.",
        of="aws",
    ),
    Key(
        "tier",
        "aws_region",
        "region or $NAME",
        "the profile's",
        "AWS region that is asked.",
        of="aws",
    ),
    Key(
        "tier",
        "aws_region_next",
        "region or $NAME",
        "aws_region",
        "AWS region on the next channel.",
        of="aws",
    ),
    Key(
        "tier",
        "aws_profile",
        "name or $NAME",
        "",
        "Profile of the AWS configuration that leads to the credentials; without it AWS's own "
        "chain.",
        of="aws",
    ),
    Key(
        "tier",
        "aws_endpoint_url",
        "URL or $NAME",
        "the region's",
        "Bedrock address other than the region's own, such as a VPC endpoint.",
        of="aws",
    ),
    Key(
        "tier",
        "base_url",
        "URL or $NAME",
        "",
        "Address of the server, with or without /v1 at its end.",
        of="url",
    ),
    Key("tier", "model_name", "text or $NAME", "", "The server's name of the model.", of="url"),
    Key(
        "tier",
        "model_name_next",
        "text or $NAME",
        "",
        "The server's name of the model on the next channel.",
        of="url",
    ),
    Key(
        "tier",
        "api_key_env",
        "NAME",
        "",
        "Name of the environment variable that holds the API key; never the key.",
        of="url",
    ),
    Key(
        "tier",
        "headers",
        "Name: value, by commas or lines",
        "",
        "Further headers of every request; a value may be $NAME, and must be where it is a "
        "credential.",
        of="url",
    ),
    Key(
        "tier",
        "apis",
        "chat, completions, messages, responses, embeddings",
        "found out",
        "The APIs that the server speaks; others are translated into these.",
        of="url",
    ),
    Key(
        "tier",
        "connect_timeout",
        "seconds",
        "10",
        "Longest wait for a connection.",
        of="hosted",
    ),
    Key(
        "tier",
        "first_byte_timeout",
        "seconds",
        "600",
        "Longest wait for the beginning of an answer, 0 for no limit.",
        of="hosted",
    ),
    Key(
        "tier",
        "idle_timeout",
        "seconds",
        "300",
        "Longest silence within an answer, 0 for no limit.",
        of="hosted",
    ),
    Key(
        "tier",
        "retries",
        "integer",
        "2",
        "Further attempts before the first byte of an answer, 0 to 10.",
        of="hosted",
    ),
    Key("tier", "model", "text", "", "Provider and model of an older version.", of="litellm"),
    Key("tier", "model_next", "text", "", "The same on its next channel.", of="litellm"),
)
