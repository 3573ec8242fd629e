/** The beginning and the end of a long output, in bounded memory. */
const half = 128 * 1024;

export class Excerpt {
  readonly #head: Buffer[] = [];
  #headSize = 0;
  #tail: Buffer[] = [];
  #tailSize = 0;
  /** Bytes seen in all. */
  total = 0;

  add(chunk: Buffer): void {
    this.total += chunk.length;
    const room = half - this.#headSize;
    const first = chunk.subarray(0, Math.max(0, room));
    if (first.length > 0) {
      this.#head.push(Buffer.from(first));
      this.#headSize += first.length;
    }
    const rest = chunk.subarray(first.length);
    if (rest.length === 0) return;
    this.#tail.push(Buffer.from(rest));
    this.#tailSize += rest.length;
    if (this.#tailSize > 4 * half) this.#trim();
  }

  #trim(): void {
    const all = Buffer.concat(this.#tail);
    const kept = Buffer.from(all.subarray(Math.max(0, all.length - half)));
    this.#tail = [kept];
    this.#tailSize = kept.length;
  }

  bytes(): Buffer {
    this.#trim();
    const left = this.total - this.#headSize - this.#tailSize;
    const gap = left > 0 ? Buffer.from(`\n… ${left} bytes left out …\n`) : Buffer.alloc(0);
    return Buffer.concat([...this.#head, gap, ...this.#tail]);
  }

  text(): string {
    return this.bytes().toString('utf8');
  }
}
