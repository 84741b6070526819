/** Where progress goes: lines that stay, and on a terminal one line that is rewritten with what is under way. */
export class Progress {
  readonly #underWay = new Map<string, { what: string; since: number }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly stream: NodeJS.WriteStream) {}

  line(text: string): void {
    this.#clear();
    this.stream.write(text + '\n');
    this.#draw();
  }

  start(name: string, what: string): void {
    this.#underWay.set(name, { what, since: Date.now() });
    if (this.stream.isTTY && this.#timer === undefined)
      this.#timer = setInterval(() => {
        this.#clear();
        this.#draw();
      }, 250).unref();
    this.#draw();
  }

  end(name: string): void {
    this.#clear();
    this.#underWay.delete(name);
    if (this.#underWay.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    this.#draw();
  }

  #clear(): void {
    if (this.stream.isTTY) this.stream.write('\r\x1b[2K');
  }

  #draw(): void {
    if (!this.stream.isTTY || this.#underWay.size === 0) return;
    const parts = [...this.#underWay].map(
      ([name, { what, since }]) => `${name} (${what}, ${Math.round((Date.now() - since) / 1000)} s)`,
    );
    const text = `… ${parts.join(', ')}`;
    this.stream.write(`\r${text.slice(0, (this.stream.columns || 80) - 1)}`);
  }
}
