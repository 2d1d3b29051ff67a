/** Seconds of CPU of this process: what else the machine does plays no part, so a bound on it can be held where a quadratic way takes minutes. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
