/** Accelerator samples as a query_range answer: the exporter's own pod is in `pod`, the workload's in `exported_pod`. */
import { type Centre, dayFolder } from './centre.ts';
import type { Evidence } from './evidence.ts';
import type { LandingWriter, OnRows } from './files.ts';
import type { Ledger } from './ledger.ts';
import { Random } from './random.ts';
import { MODEL_NAMES, SAMPLE_INTERVAL_MS, type SampledDevice, sampledDevices } from './sampled-devices.ts';
import type { Workload } from './workload.ts';

const SOURCE = 'prometheus-json';
/** Value that a point must not have, and why it is refused. */
const BAD_POINTS = [
  ['NaN', 'sentinel'],
  ['+Inf', 'sentinel'],
  ['-0.25', 'negative'],
  ['1.75', 'out_of_range'],
  ['high', 'wrong_type'],
] as const;

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: [number, string][];
}

/** Writes one answer per workload: all its devices and metrics in one document, pretty-printed as an API returns it. */
export async function writePrometheusAnswers(
  centre: Centre,
  workloads: readonly Workload[],
  writer: LandingWriter,
  ledger: Ledger,
  evidence: Evidence,
  onRows: OnRows,
): Promise<void> {
  for (const workload of workloads.filter(({ samplesFrom }) => samplesFrom === SOURCE)) {
    const devices = sampledDevices([workload], SOURCE);
    const series = devices.flatMap((device) => seriesOf(centre, device, evidence));
    const points = series.reduce((sum, { values }) => sum + values.length, 0);
    if (centre.options.badPerMillion > 0) addBadPoints(series, ledger);
    const document = JSON.stringify({ status: 'success', data: { resultType: 'matrix', result: series } }, null, 1);
    const endMs = Math.max(...workload.members.map((member) => member.endMs));
    const path = `${SOURCE}/${workload.siteId}/${dayFolder(endMs)}/${workload.name}-query_range.json`;
    await writer.lines(path, [document], endMs + 300_000);
    const counts = ledger.source(SOURCE);
    counts.files++;
    counts.valid += points;
    onRows(points);
  }
}

/** The three series of one device: range queries answer at whole minutes. */
function seriesOf(centre: Centre, device: SampledDevice, evidence: Evidence): Series[] {
  const random = new Random(centre.options.seed, `range ${device.device.uuid} ${device.member.uid}`);
  const labels = {
    Hostname: device.member.node.name,
    UUID: device.device.uuid,
    container: 'exporter',
    device: `nvidia${device.device.index}`,
    exported_container: 'main',
    exported_namespace: device.workload.owner,
    exported_pod: device.member.name,
    gpu: String(device.device.index),
    instance: '10.42.3.17:9400',
    job: 'dcgm-exporter',
    modelName: MODEL_NAMES[device.workload.accelerator],
    namespace: 'gpu-operator',
    pod: 'nvidia-dcgm-exporter-7xk2p',
  };
  const series = (name: string): Series => ({ metric: { __name__: name, ...labels }, values: [] });
  const tensor = series('DCGM_FI_PROF_PIPE_TENSOR_ACTIVE');
  const clock = series('DCGM_FI_DEV_SM_CLOCK');
  const power = series('DCGM_FI_DEV_POWER_USAGE');
  const { tensorMicros, clockMhz } = device.reading;
  const first = Math.ceil(device.member.startMs / SAMPLE_INTERVAL_MS) * SAMPLE_INTERVAL_MS;
  for (let atMs = first; atMs < device.sampledEndMs; atMs += SAMPLE_INTERVAL_MS) {
    const micros = tensorMicros + random.int(-tensorMicros >> 3, tensorMicros >> 3);
    const mhz = clockMhz + 15 * random.int(-1, 1);
    evidence.sample(device, atMs, micros, mhz);
    tensor.values.push([atMs / 1000, `0.${String(micros).padStart(6, '0')}`]);
    clock.values.push([atMs / 1000, String(mhz)]);
    power.values.push([atMs / 1000, `${random.int(180, 640)}.5`]);
  }
  return [tensor, clock, power];
}

/** Bad points at instants between the good ones, so that no good reading is lost. */
function addBadPoints(series: readonly Series[], ledger: Ledger): void {
  const [first] = series;
  const lastSecond = first?.values.at(-1)?.[0];
  if (first === undefined || lastSecond === undefined) return;
  BAD_POINTS.forEach(([value, reason], index) => {
    first.values.push([lastSecond + 1 + index, value]);
    ledger.bad(SOURCE, reason);
  });
}
