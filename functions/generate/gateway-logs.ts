/** Token logs of the edge gateways, written file by file while requests are made up. */
import { type Centre, DAY_MS, dayFolder, HOUR_MS } from './centre.ts';
import type { LandingWriter, OnRows } from './files.ts';
import { otlpEnvelope } from './gateway-formats.ts';
import { type GatewayStream, gatewayStreams } from './gateway-streams.ts';
import type { Ledger } from './ledger.ts';
import { type Chunk, POISONED_FROM_ROWS, Poison, type Spoiler } from './poison.ts';
import { Random } from './random.ts';
import { type Attempt, RequestStream, requestsBefore } from './requests.ts';

const HOURLY_FILES_FROM_ROWS_PER_DAY = 20_000;
/** One row in this many is sent again, as at-least-once delivery does. */
const REPEAT_EVERY = 400;
const SPECIAL_AFTER_ROW = 40;

/** Writes every token log and counts it in the ledger. Memory does not grow with the number of rows. */
export async function writeGatewayLogs(centre: Centre, writer: LandingWriter, ledger: Ledger, onRows: OnRows): Promise<void> {
  for (const stream of gatewayStreams(centre)) await new StreamWriter(centre, stream, ledger, onRows).write(writer);
}

class StreamWriter {
  private readonly centre: Centre;
  private readonly stream: GatewayStream;
  private readonly ledger: Ledger;
  private readonly onRows: OnRows;
  private readonly requests: RequestStream;
  /** Rows that are spoiled come from a stream of their own, so that good rows do not depend on the bad share. */
  private readonly victims: RequestStream;
  private readonly jitter: Random;
  private readonly poison: Poison;
  private readonly hoursPerFile: number;
  private row = 0;
  private unmappedLeft: number;
  private absentLeft: number;

  constructor(centre: Centre, stream: GatewayStream, ledger: Ledger, onRows: OnRows) {
    const shape = { writesCache: stream.source === 'otel-genai', cacheHits: stream.source === 'litellm' };
    this.centre = centre;
    this.stream = stream;
    this.ledger = ledger;
    this.onRows = onRows;
    this.requests = new RequestStream(centre, stream.edge, { ...shape, tag: stream.tag });
    this.victims = new RequestStream(centre, stream.edge, { writesCache: false, cacheHits: false, tag: `bad-${stream.tag}` });
    this.jitter = new Random(centre.options.seed, `instants ${stream.tag}`);
    const { days } = centre.options;
    this.hoursPerFile = stream.rows / days > HOURLY_FILES_FROM_ROWS_PER_DAY ? 1 : 24;
    let poisonedRows = 0;
    for (let hour = 0; hour < days * 24; hour += this.hoursPerFile) poisonedRows += this.isPoisoned(hour) ? this.rowsIn(hour) : 0;
    this.poison = new Poison(stream.spoilers, poisonedRows, centre.options.badPerMillion);
    this.unmappedLeft = stream.unmapped;
    this.absentLeft = stream.absent;
  }

  async write(writer: LandingWriter): Promise<void> {
    const { stream, centre, ledger, hoursPerFile } = this;
    const counts = ledger.source(stream.source);
    for (let hour = 0; hour < centre.options.days * 24; hour += hoursPerFile) {
      if (this.rowsIn(hour) === 0) continue;
      const startMs = centre.windowStartMs + hour * HOUR_MS;
      const endMs = startMs + hoursPerFile * HOUR_MS;
      // A file is landed soon after its last row.
      const name = `${stream.source}/${stream.edge.id}/${dayFolder(startMs)}/${fileStem(startMs, hoursPerFile)}`;
      const lines = stream.rowsPerLine === 1 ? this.rows(hour) : this.enveloped(hour);
      // The first LiteLLM file is delivered twice.
      const kept = stream.source === 'litellm' && hour === 0 && stream.site === 0 ? [...lines] : lines;
      const path = await writer.lines(`${name}.jsonl`, kept, endMs + 60_000);
      counts.files++;
      if (!Array.isArray(kept)) continue;
      const copy = await writer.lines(`${name}-redelivered.jsonl`, kept, endMs + 120_000);
      counts.duplicate_files.push({ path: copy, of: path });
    }
  }

  /** Good rows of the file that starts at an hour of the window. */
  private rowsIn(hour: number): number {
    const { days } = this.centre.options;
    return requestsBefore(hour + this.hoursPerFile, days, this.stream.rows) - requestsBefore(hour, days, this.stream.rows);
  }

  private isPoisoned(hour: number): boolean {
    return this.rowsIn(hour) >= POISONED_FROM_ROWS;
  }

  /** Spans are gathered into export requests; a spoiled span comes in a request of its own. */
  private *enveloped(hour: number): Generator<Chunk> {
    let spans: string[] = [];
    for (const row of this.rows(hour)) {
      if (typeof row !== 'string' || row.startsWith('{"resourceSpans"')) yield row;
      else spans.push(row);
      if (spans.length < this.stream.rowsPerLine) continue;
      yield otlpEnvelope(spans, this.stream.edge.id);
      spans = [];
    }
    if (spans.length > 0) yield otlpEnvelope(spans, this.stream.edge.id);
  }

  private *rows(hour: number): Generator<Chunk> {
    const { stream, centre, ledger } = this;
    const poisoned = this.isPoisoned(hour);
    for (let h = hour; h < hour + this.hoursPerFile; h++) {
      const from = requestsBefore(h, centre.options.days, stream.rows);
      const count = requestsBefore(h + 1, centre.options.days, stream.rows) - from;
      for (let i = 0; i < count; i++) {
        const atMs = centre.windowStartMs + h * HOUR_MS + Math.floor(((i + this.jitter.fraction()) * HOUR_MS) / count);
        const attempt = this.requests.next(atMs);
        if (this.row >= SPECIAL_AFTER_ROW) this.makeSpecial(attempt);
        const line = stream.format(attempt);
        ledger.attempt(stream.source, stream.site, attempt);
        yield line;
        if (++this.row % REPEAT_EVERY === 21) {
          const counts = ledger.source(stream.source);
          counts.valid++;
          counts.duplicate_rows++;
          yield line;
        }
        const spoiler = poisoned ? this.poison.next() : null;
        if (spoiler !== null) yield this.spoiled(spoiler, atMs);
      }
      this.onRows(count);
    }
  }

  private makeSpecial(attempt: Attempt): void {
    if (attempt.status !== 'success') return;
    if (this.unmappedLeft > 0) {
      this.unmappedLeft--;
      attempt.tenant = -1;
    } else if (this.absentLeft > 0) {
      this.absentLeft--;
      attempt.absent = true;
    }
  }

  private spoiled(spoiler: Spoiler, atMs: number): Chunk {
    const { stream, ledger } = this;
    const victim = this.victims.next(atMs);
    // A failure may carry no counts, and then there is nothing to spoil.
    victim.status = 'success';
    const line = stream.format(victim);
    ledger.bad(stream.source, spoiler.reason);
    return spoiler.spoil(stream.rowsPerLine === 1 ? line : otlpEnvelope([line], stream.edge.id));
  }
}

/** `20261013T16` for an hourly file, `20261013` for a daily one, in UTC. */
function fileStem(startMs: number, hours: number): string {
  const text = new Date(startMs).toISOString().replaceAll('-', '');
  return hours * HOUR_MS === DAY_MS ? text.slice(0, 8) : text.slice(0, 11);
}
