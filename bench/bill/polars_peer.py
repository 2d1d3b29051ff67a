"""The month in Polars: python3 polars_peer.py <warehouse> <month.json>. Lazy frames, the streaming engine, the form of hand-sql.ts."""
import glob
import json
import re
import sys

import polars as pl
from usage import answer

warehouse, month_file = sys.argv[1:3]
month = json.load(open(month_file))
HOUR = 3_600_000


def stream(frame):
    return frame.collect(engine="streaming")


def parts(dataset):
    files = glob.glob(f"{warehouse}/data/{dataset}/*/*.parquet")
    return sorted(files, key=lambda file: int(re.search(r"bench-(\d+)", file)[1]))


requests = pl.concat([pl.scan_parquet(file).with_columns(part=pl.lit(part)) for part, file in enumerate(parts("token_usage"))])
key_hash = pl.col("native_id").hash()
again = stream(requests.select(key_hash=key_hash).group_by("key_hash").len().filter(pl.col("len") > 1).select("key_hash"))
repeated = stream(
    requests.select("native_id", "object_id", "line", "part", key_hash=key_hash).join(again.lazy(), on="key_hash", how="semi")
)
losers = repeated.sort("part", "line").filter(pl.col("native_id").is_duplicated() & ~pl.col("native_id").is_first_distinct())
meters = ["input_uncached", "input_cache_read", "input_cache_write", "output"]
used = stream(
    requests.filter(
        (pl.col("status") == "success") & (pl.col("event_at_ms") >= month["startMs"]) & (pl.col("event_at_ms") < month["endMs"])
    )
    .join(losers.lazy().select("object_id", "line"), on=["object_id", "line"], how="anti")
    .group_by("tenant_key", "site_id", "model")
    .agg([pl.col(f"{meter}_tokens").sum().alias(meter) for meter in meters])
)
tenant = pl.col("tenant_key").str.slice(5).cast(pl.Int64) % month["tenants"]
by_tenant = used.group_by(tenant.alias("tenant"), "site_id", "model").agg(pl.col(meters).sum())
tokens = by_tenant.unpivot(on=meters, index=["tenant", "site_id", "model"], variable_name="meter", value_name="tokens")

observations = pl.scan_parquet(f"{warehouse}/data/allocation_event/*/*.parquet")
holds = stream(
    observations.group_by("source", "native_id", "workload_id").agg(
        holder=pl.coalesce(pl.col("namespace").first() + "/" + pl.col("pod").first(), pl.col("device_ids").first()),
        start_ms=pl.col("start_at_ms").first(),
        end_ms=pl.col("end_at_ms").max(),
    )
)
pieces = (
    holds.with_columns(hour=pl.int_ranges(pl.col("start_ms") // HOUR, (pl.col("end_ms") - 1) // HOUR + 1))
    .explode("hour")
    .with_columns(
        start_ms=pl.max_horizontal("start_ms", pl.col("hour") * HOUR),
        end_ms=pl.min_horizontal("end_ms", (pl.col("hour") + 1) * HOUR),
    )
    .select("workload_id", "holder", "hour", "start_ms", "end_ms")
)
interval = month["intervalMs"]
samples = pl.scan_parquet(f"{warehouse}/data/gpu_sample/*/*.parquet").select(
    holder=pl.coalesce(pl.col("namespace") + "/" + pl.col("pod"), pl.col("device_id")),
    hour=pl.col("sampled_at_ms") // HOUR,
    sampled_at_ms="sampled_at_ms",
    ppm=(pl.col("tensor_active") * 1_000_000).cast(pl.Int64),
    mhz=pl.col("sm_clock_mhz").cast(pl.Int64),
)
overlap = pl.min_horizontal("end_ms", pl.col("sampled_at_ms") + interval) - pl.max_horizontal("start_ms", "sampled_at_ms")
evidence = stream(
    samples.join(pieces.lazy(), on=["holder", "hour"])
    .filter((pl.col("sampled_at_ms") < pl.col("end_ms")) & (pl.col("sampled_at_ms") + interval > pl.col("start_ms")))
    .with_columns(overlap_ms=overlap)
    .group_by("workload_id")
    .agg(sampled_ms=pl.col("overlap_ms").sum(), weight=(pl.col("ppm") * pl.col("mhz") * pl.col("overlap_ms")).sum())
)
jobs = holds.group_by("workload_id").agg(held_ms=(pl.col("end_ms") - pl.col("start_ms")).sum()).join(evidence, on="workload_id", how="left")
answer(month, tokens.select("model", "meter", "tokens").iter_rows(), jobs.select("held_ms", "sampled_ms", "weight").iter_rows())
