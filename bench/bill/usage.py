"""What the peer's process took, as bench/usage.js says it for Node; and the money, which is priced after everything was added up."""
import atexit
import json
import os
import re
import resource
from decimal import ROUND_HALF_UP, Decimal


def report():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    status = open("/proc/self/status").read() if os.path.exists("/proc/self/status") else ""
    found = re.search(r"^VmHWM:\s*(\d+) kB", status, re.M)
    line = {"pid": os.getpid(), "cpuUs": int((usage.ru_utime + usage.ru_stime) * 1e6), "peakKib": int(found[1]) if found else usage.ru_maxrss}
    with open(os.environ["KASHI_BENCH_USAGE"], "a") as file:
        file.write(json.dumps(line) + "\n")


if "KASHI_BENCH_USAGE" in os.environ:
    atexit.register(report)

CENT, MILLIONTH = Decimal("0.01"), Decimal("0.000001")


def answer(month, tokens, jobs):
    """tokens: (model, meter, tokens) a tenant and site; jobs: (held_ms, sampled_ms, weight) with weight = ppm x MHz x ms."""
    prices = {(model["name"], meter): Decimal(price) for model in month["models"] for meter, price in model["perMillion"].items()}
    quantities = [(prices[model, meter], Decimal(count) * MILLIONTH) for model, meter, count in tokens if count > 0]
    token_amounts = [(price * quantity).quantize(CENT, ROUND_HALF_UP) for price, quantity in quantities]
    gpu_hours, gpu_amounts = [], []
    for held_ms, sampled_ms, weight in jobs:
        hours = (Decimal(held_ms) / 3_600_000).quantize(MILLIONTH, ROUND_HALF_UP)
        known = sampled_ms is not None and sampled_ms * 10 >= held_ms * 9
        low = known and Decimal(weight) < Decimal(month["penaltyBelow"]) * 1_000_000 * month["boostMhz"] * sampled_ms
        price = Decimal(month["gpuPrice"]) * (Decimal(month["penaltyFactor"]) if low else 1)
        gpu_hours.append(hours)
        gpu_amounts.append((price * hours).quantize(CENT, ROUND_HALF_UP))
    text = {
        "lines": str(len(gpu_hours) + len(quantities)),
        "gpu_hours": f"{sum(gpu_hours):f}",
        "gpu_amount": f"{sum(gpu_amounts):f}",
        "million_tokens": f"{sum(quantity for _, quantity in quantities):f}",
        "token_amount": f"{sum(token_amounts):f}",
    }
    print(json.dumps(text))
