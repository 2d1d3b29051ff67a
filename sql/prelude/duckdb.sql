-- The words of the shared subset that DuckDB lacks or means otherwise. Trino has each of them, but for div_half_up, which
-- is `cast(n as decimal(38,0)) / cast(d as decimal(38,0))` there (HALF_UP by its own rule).

-- Trino hashes bytes and prints them; DuckDB's md5 does both at once.
create macro to_utf8(txt) as txt;
create macro to_hex(txt) as txt;

-- Eight bytes of some hash: other ones than Trino's, so they are compared within a statement and never stored.
create macro xxhash64(txt) as hash(txt);

-- Null when either side is null; DuckDB's own would ignore the null.
create macro greatest(left_value, right_value) as case when left_value is null or right_value is null then null when left_value >= right_value then left_value else right_value end;
create macro least(left_value, right_value) as case when left_value is null or right_value is null then null when left_value <= right_value then left_value else right_value end;

create macro sequence(first_value, last_value) as generate_series(first_value, last_value), (first_value, last_value, step_value) as generate_series(first_value, last_value, step_value);

create macro from_unixtime_nanos(nanos) as make_timestamp(nanos // 1000);

-- Quotient of two integers, d > 0, rounded half away from zero, as DECIMAL(38,0). Exact up to 38 digits.
create macro div_half_up(n, d) as cast(case when n >= 0
  then (2 * cast(n as hugeint) + cast(d as hugeint)) // (2 * cast(d as hugeint))
  else -((2 * cast(-n as hugeint) + cast(d as hugeint)) // (2 * cast(d as hugeint))) end as decimal(38, 0));

-- Lists only: the shared SQL has no maps.
create macro cardinality(elements) as len(elements);

create macro array_join(elements, separator) as array_to_string(elements, separator);
