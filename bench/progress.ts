/** Says what is going on, on standard error, with the seconds since the start. */
export type Say = (text: string) => void;

/** One line that is drawn over on a terminal; plain lines elsewhere. Units: seconds. */
export function sayer(now: () => number): Say {
  const started = now();
  return (text) => {
    const line = `[${((now() - started) / 1000).toFixed(0).padStart(5)} s] ${text}`;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[2K${line}` : `${line}\n`);
  };
}
