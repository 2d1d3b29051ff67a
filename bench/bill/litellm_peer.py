"""LiteLLM's own cost function, a call a request: python3 litellm_peer.py <file.parquet> <month.json> <rows>. Prints requests, seconds of the calls, and the sum."""
import json
import os
import sys
import time
from decimal import Decimal

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # nothing is fetched
import litellm  # noqa: E402
import polars as pl  # noqa: E402
import usage  # noqa: E402, F401

file, month_file, rows = sys.argv[1:4]
month = json.load(open(month_file))
CLASSES = [
    ("input_uncached", "input_cost_per_token"),
    ("input_cache_read", "cache_read_input_token_cost"),
    ("input_cache_write", "cache_creation_input_token_cost"),
    ("output", "output_cost_per_token"),
]
litellm.register_model(
    {
        model["name"]: {"litellm_provider": "openai", "mode": "chat"}
        | {cost: float(Decimal(model["perMillion"][meter]) / 1_000_000) for meter, cost in CLASSES}
        for model in month["models"]
    }
)
columns = ["model"] + [f"{meter}_tokens" for meter, _ in CLASSES]
requests = pl.scan_parquet(file).filter(pl.col("status") == "success").select(columns).head(int(rows)).collect().rows()

total = 0.0
started = time.perf_counter()
for model, uncached, read, write, output in requests:
    prompt_cost, completion_cost = litellm.cost_per_token(
        model=model,
        prompt_tokens=uncached + read + write,
        completion_tokens=output,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=write,
    )
    total += prompt_cost + completion_cost
seconds = time.perf_counter() - started

prices = {(model["name"], meter): Decimal(model["perMillion"][meter]) for model in month["models"] for meter, _ in CLASSES}
exact = sum(prices[row[0], meter] * count for row in requests for (meter, _), count in zip(CLASSES, row[1:])) / 1_000_000
print(json.dumps({"requests": len(requests), "seconds": seconds, "sum": total, "exact": f"{exact:f}"}))
