import { toHex } from '../../applet-spec/bytes.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';

/** Watches every one-time MAC key of a network: none ever covers two messages. */
export class OneTimeKeys {
  readonly #covered = new Map<string, string>();
  readonly reused: string[] = [];

  get used(): number {
    return this.#covered.size;
  }

  watching(sound: Primitives): Primitives {
    return {
      ...sound,
      poly1305: (macKey, message) => {
        const name = toHex(macKey);
        const digest = toHex(sound.sha256(message));
        const before = this.#covered.get(name);
        if (before !== undefined && before !== digest) this.reused.push(name);
        this.#covered.set(name, digest);
        return sound.poly1305(macKey, message);
      },
    };
  }
}
