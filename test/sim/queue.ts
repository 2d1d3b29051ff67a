/** Notifications of landed objects: delivered at least once, in any order, and hidden for a while once taken. */

export interface Message {
  readonly id: number;
  /** Which landed version. */
  readonly version: number;
  visibleAtMs: number;
}

const HIDDEN_MS = 30 * 60_000;

export class Queue {
  private messages: Message[] = [];
  private sent = 0;

  get length(): number {
    return this.messages.length;
  }

  send(version: number, nowMs: number): void {
    this.sent += 1;
    this.messages.push({ id: this.sent, version, visibleAtMs: nowMs });
  }

  receive(nowMs: number): Message | null {
    const message = this.messages.find(({ visibleAtMs }) => visibleAtMs <= nowMs);
    if (message === undefined) return null;
    message.visibleAtMs = nowMs + HIDDEN_MS;
    return message;
  }

  acknowledge({ id }: Message): void {
    this.messages = this.messages.filter((message) => message.id !== id);
  }
}
