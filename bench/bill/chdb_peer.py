"""The month in ClickHouse, embedded: python3 chdb_peer.py <warehouse> <month.json> <memory bytes> <scratch>. The form of hand-sql.ts."""
import json
import sys

from chdb import session
from usage import answer

warehouse, month_file, memory, scratch = sys.argv[1:5]
month = json.load(open(month_file))
HOUR = 3_600_000
INTERVAL = month["intervalMs"]
engine = session.Session(scratch)
SETTINGS = f"max_threads = 2, max_bytes_before_external_group_by = {int(memory) // 2}, join_algorithm = 'hash', allow_experimental_analyzer = 1"


def run(sql, form="CSV"):
    return str(engine.query(f"{sql} settings {SETTINGS}" if sql.startswith(("select", "with", "insert")) else sql, form))


def rows(sql):
    return [json.loads(line) for line in run(sql, "JSONCompactEachRow").splitlines()]


def table(dataset):
    return f"file('{warehouse}/data/{dataset}/*/*.parquet', Parquet)"


def keep(name, columns, sql):
    run(f"create table {name} ({columns}) engine = Memory")
    run(f"insert into {name} {sql}")


run("create database if not exists month")
run("use month")
tokens, samples, observations = table("token_usage"), table("gpu_sample"), table("allocation_event")
keep(
    "losers",
    "object_id String, line Int64",
    f"""select object_id, line from (
      select assumeNotNull(object_id) as object_id, assumeNotNull(line) as line,
        row_number() over (partition by native_id order by toUInt32(extract(_file, 'bench-([0-9]+)')), line) as place
      from {tokens} where cityHash64(native_id) in (select cityHash64(native_id) as h from {tokens} group by h having count() > 1)
    ) where place > 1""",
)
meters = ["input_uncached", "input_cache_read", "input_cache_write", "output"]
sums = ", ".join(f"sum({meter}_tokens)" for meter in meters)
used = rows(
    f"""select toUInt32(substring(assumeNotNull(tenant_key), 6)) % {month["tenants"]} as tenant, site_id, model, {sums} from {tokens}
    where status = 'success' and event_at_ms >= {month["startMs"]} and event_at_ms < {month["endMs"]}
      and (assumeNotNull(object_id), assumeNotNull(line)) not in (select object_id, line from losers)
    group by tenant, site_id, model"""
)
keep(
    "holds",
    "workload_id String, holder String, start_ms Int64, end_ms Int64",
    f"""select assumeNotNull(workload_id), coalesce(any(namespace) || '/' || any(pod), any(device_ids), ''), assumeNotNull(any(start_at_ms)), assumeNotNull(max(end_at_ms))
    from {observations} group by source, native_id, workload_id""",
)
keep(
    "pieces",
    "workload_id String, holder String, hour Int64, start_ms Int64, end_ms Int64",
    f"""select workload_id, holder, hour, greatest(start_ms, hour * {HOUR}), least(end_ms, (hour + 1) * {HOUR})
    from holds array join range(intDiv(start_ms, {HOUR}), intDiv(end_ms - 1, {HOUR}) + 1) as hour""",
)
jobs = rows(
    f"""with evidence as (
      select workload_id, sum(overlap_ms) as sampled_ms, sum(toInt128(ppm) * mhz * overlap_ms) as weight
      from (
        select pieces.workload_id as workload_id, ppm, mhz,
          least(pieces.end_ms, sampled_ms + {INTERVAL}) - greatest(pieces.start_ms, sampled_ms) as overlap_ms
        from (
          select coalesce(namespace || '/' || pod, device_id, '') as holder, intDiv(assumeNotNull(sampled_at_ms), {HOUR}) as hour,
            assumeNotNull(sampled_at_ms) as sampled_ms, toInt64(assumeNotNull(tensor_active) * 1000000) as ppm, toInt64(assumeNotNull(sm_clock_mhz)) as mhz
          from {samples}
        ) as taken inner join pieces on pieces.holder = taken.holder and pieces.hour = taken.hour
        where sampled_ms < pieces.end_ms and sampled_ms + {INTERVAL} > pieces.start_ms
      ) group by workload_id
    ),
    held as (select workload_id, sum(end_ms - start_ms) as held_ms from holds group by workload_id)
    select held.held_ms, evidence.sampled_ms, toString(evidence.weight) from held left join evidence on evidence.workload_id = held.workload_id"""
)
lines = [(model, meter, int(count)) for _, _, model, *counts in used for meter, count in zip(meters, counts)]
answer(month, lines, [(int(held), int(sampled), int(weight)) for held, sampled, weight in jobs])
