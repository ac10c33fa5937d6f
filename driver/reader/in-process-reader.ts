import { CardPresence } from './card-presence.ts';
import type { CardConnection, Reader, ReaderEvent } from './connection.ts';
import { requireHeader } from './connection.ts';
import { ConnectionLife } from './connection-life.ts';
import { ReaderError } from './reader-error.ts';
import type { SoftwareCard } from './software-card.ts';

const limits = { commandBytes: 65_535, responseBytes: 65_535 } as const;

/** A reader without a wire, for a software card in the same process: tests and the simulation. */
export class InProcessReader implements Reader {
  readonly name: string;
  readonly #presence = new CardPresence();
  #card: SoftwareCard | undefined;
  #life: ConnectionLife | undefined;
  #closed = false;

  constructor(name = 'in-process') {
    this.name = name;
  }

  get cardPresent(): boolean {
    return this.#presence.present;
  }

  insert(card: SoftwareCard): void {
    if (this.#card !== undefined) this.remove();
    this.#card = card;
    this.#presence.set(true);
  }

  remove(): void {
    const card = this.#card;
    if (card === undefined) return;
    this.#card = undefined;
    this.#life?.end('card-removed', 'the card was removed');
    card.powerOff();
    this.#presence.set(false);
  }

  watch(listener: (event: ReaderEvent) => void): () => void {
    return this.#presence.watch(listener);
  }

  connect(): Promise<CardConnection> {
    const card = this.#card;
    if (this.#closed) return this.#refuse('closed', 'is closed');
    if (card === undefined) return this.#refuse('no-card', 'is empty');
    if (this.#life !== undefined && this.#life.ended === undefined) {
      return this.#refuse('reader-busy', 'is in use by another connection of this program');
    }
    const life = new ConnectionLife(this.name);
    this.#life = life;
    card.powerOn();
    return Promise.resolve({
      reader: this.name,
      atr: card.atr,
      limits,
      closed: life.closed,
      transmit: async (command, running) => {
        requireHeader(command);
        return life.command(() => {
          process(card, command, life);
        }, running);
      },
      close: () => {
        if (life.ended === undefined) card.powerOff();
        life.end('closed', 'the connection was closed');
        return Promise.resolve();
      },
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    if (this.#life !== undefined && this.#life.ended === undefined) {
      this.#life.end('closed', 'the reader was closed');
      this.#card?.powerOff();
    }
    this.#presence.clear();
    return Promise.resolve();
  }

  #refuse(code: 'closed' | 'no-card' | 'reader-busy', how: string): Promise<never> {
    return Promise.reject(new ReaderError(code, `${this.name} ${how}`, { reader: this.name }));
  }
}

function process(card: SoftwareCard, command: Uint8Array, life: ConnectionLife): void {
  // The wire of a real reader copies; neither side may see the other's later changes.
  card.process(command.slice()).then(
    (response) => life.ended === undefined && life.answer(response.slice()),
    (cause: unknown) => {
      life.end('card-removed', 'the card failed and was thrown out', cause);
    },
  );
}
