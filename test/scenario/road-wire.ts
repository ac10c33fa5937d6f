import type { Address, Relay, Segment, WireRecorder } from '../../emulator/demo/recorder.ts';

/** A way to a station's door. */
export interface Wire {
  readonly url: string;
  cut(): Promise<void>;
  mend(): Promise<void>;
}

/**
 * A cable to a station's door, with a recorder on it. It keeps its address whatever happens behind
 * it.
 */
export class RoadWire implements Wire {
  readonly #recorder: WireRecorder;
  readonly #segment: Segment;
  readonly #name: string;
  readonly #port: () => number | undefined;
  readonly #address: { readonly host: string; readonly port: number };
  #relay: Relay | undefined;

  private constructor(
    plan: {
      recorder: WireRecorder;
      segment: Segment;
      name: string;
      port: () => number | undefined;
    },
    relay: Relay,
  ) {
    const { address } = relay;
    if ('path' in address) throw new RangeError('a wire without a port');
    this.#recorder = plan.recorder;
    this.#segment = plan.segment;
    this.#name = plan.name;
    this.#port = plan.port;
    this.#address = address;
    this.#relay = relay;
  }

  /** `port` is where the station listens now; undefined while it is down. */
  static async lay(
    recorder: WireRecorder,
    segment: Segment,
    name: string,
    port: () => number | undefined,
  ): Promise<RoadWire> {
    const listen = { host: '127.0.0.1', port: 0 };
    const relay = await recorder.relay({ segment, name, listen, target: () => targetOf(port()) });
    return new RoadWire({ recorder, segment, name, port }, relay);
  }

  get url(): string {
    return `ws://${this.#address.host}:${this.#address.port}`;
  }

  get port(): number {
    return this.#address.port;
  }

  /** What goes over it is cut, and nobody gets through. */
  async cut(): Promise<void> {
    const relay = this.#relay;
    this.#relay = undefined;
    await relay?.close();
  }

  async mend(): Promise<void> {
    this.#relay ??= await this.#recorder.relay({
      segment: this.#segment,
      name: this.#name,
      listen: this.#address,
      target: () => targetOf(this.#port()),
    });
  }
}

function targetOf(port: number | undefined): Address | undefined {
  return port === undefined ? undefined : { host: '127.0.0.1', port };
}
