/** `npu-exporter`: a scrape of Ascend's npu-exporter in the Prometheus text format, saved as a file. */
import { expositionParser } from './exposition-parser.ts';
import { readOptions } from './options.ts';
import { namingOf, SERIES_OPTIONS } from './series-meaning.ts';
import type { Source } from './source.ts';

/** A line of the format that names a metric of the exporter: a sample, or the HELP or TYPE line before one. */
const NPU_LINE = /^(?:# (?:HELP|TYPE) )?(?:npu_chip_info_[a-z0-9_]+|npu_container_info|npu_exporter_version_info)(?: [a-zA-Z0-9]|[ ]?\{)/m;

/**
 * Lines, instants and blanks: expositionParser; metrics and units: npu-metrics.ts. Printed milliseconds (when the exporter read the chip)
 * are kept, so repeated scrapes of one reading are one sample.
 * Options: `node`, the host name, needed where the lines carry no `instance` (the exporter prints none); `npu_device_from`, labels that name
 * a chip (default vdie_id, then pcie_bus_info; `id`, the slot, must be asked for); `ignore_timestamps: true` for an exporter whose clock is
 * wrong: the instant is then when the file landed.
 * Errors (rows): wrong_shape, missing_field, sentinel, out_of_range, negative, bad_timestamp, timestamp_out_of_range, duplicate_series.
 */
export const npuExporter: Source = {
  name: 'npu-exporter',
  fact: 'gpu_sample',
  framing: 'text',
  detect: (head) => NPU_LINE.test(head.text),
  open(context) {
    const options = readOptions('npu-exporter', context, { ...SERIES_OPTIONS, ignore_timestamps: { kind: 'flag' } });
    return expositionParser(context, namingOf(options), options.flag('ignore_timestamps'));
  },
};
