/** `dcgm-text`: a scrape of dcgm-exporter in the Prometheus text format, saved as a file. */
import { expositionParser } from './exposition-parser.ts';
import { readOptions } from './options.ts';
import { namingOf } from './series-meaning.ts';
import type { Source } from './source.ts';

/** A line of the format that names a DCGM metric: a sample, or the HELP or TYPE line before one. */
const DCGM_LINE =
  /^(?:# (?:HELP|TYPE) )?(?:DCGM_(?:FI|EXP)_[A-Z0-9_]+|dcgm_(?:sm_clock|gpu_temp|power_usage|gpu_utilization|fb_used))(?: [a-zA-Z0-9]|[ ]?\{)/m;

/**
 * Lines, instants and blanks: expositionParser.
 * Options: `node`, the host name for files whose lines carry neither Hostname nor instance.
 * Errors (rows): wrong_shape, missing_field, sentinel, out_of_range, negative, not_an_integer, bad_timestamp,
 * timestamp_out_of_range, duplicate_series. Source: dcgm-exporter, Prometheus exposition formats.
 */
export const dcgmText: Source = {
  name: 'dcgm-text',
  fact: 'gpu_sample',
  framing: 'text',
  detect: (head) => DCGM_LINE.test(head.text),
  open: (context) => expositionParser(context, namingOf(readOptions('dcgm-text', context, { node: { kind: 'text' } }))),
};
