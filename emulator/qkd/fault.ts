import type { Clock } from '../../applet-spec/clock.ts';

/** The calls of ETSI GS QKD 014 §5. */
export const calls = ['status', 'enc_keys', 'dec_keys'] as const;
export type Call = (typeof calls)[number];

/** What can be wrong with a key manager or its fibre. */
export type Fault =
  /** Connections are closed at once. */
  | { readonly kind: 'outage' }
  /** The fibre's QBER; from 0.11 on no key is distilled. Concerns all key managers. */
  | { readonly kind: 'high-error-rate'; readonly errorRate: number }
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** Keys are longer (or, below 0, shorter) than asked for. */
  | { readonly kind: 'wrong-length'; readonly extraBytes: number }
  /** The request runs, and the connection closes instead of an answer. */
  | { readonly kind: 'lost-answer' }
  /** dec_keys gives other bits than enc_keys gave. */
  | { readonly kind: 'mismatched-key' }
  /** dec_keys leaves keys where they are. */
  | { readonly kind: 'keys-stay' }
  /** enc_keys hands out what it handed out last. */
  | { readonly kind: 'repeated-keys' }
  /** Each enc_keys discards earlier keys that were not fetched. */
  | { readonly kind: 'discards-unfetched' }
  /** Once: connections, stock and keys not fetched are gone. */
  | { readonly kind: 'restart' }
  /** Key IDs are written in this case, and found in no other. */
  | { readonly kind: 'ids-by-case'; readonly letterCase: 'upper' | 'lower' }
  | { readonly kind: 'fewer-keys' }
  | { readonly kind: 'more-keys' }
  | { readonly kind: 'duplicate-keys' }
  | { readonly kind: 'foreign-keys' }
  /** Two calls at once are never answered, nor is any after them while this is on. */
  | { readonly kind: 'deadlock' }
  /** Answers without doing anything. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body: string;
      readonly contentType?: string;
    }
  /** Members of the 200 body are replaced; null removes nothing, it is sent. */
  | { readonly kind: 'members'; readonly members: Readonly<Record<string, unknown>> };

export interface ScriptedFault {
  readonly fault: Fault;
  /** The key manager's ID; all of them where it is left out. */
  readonly kme?: string;
  /** All calls where it is left out. */
  readonly call?: Call;
  /** How many calls it strikes; all of them where it is left out. */
  readonly times?: number;
  /** When it begins, after it was added. Default: at once. */
  readonly afterMs?: number;
  /** How long it lasts; for ever where it is left out. */
  readonly forMs?: number;
}

interface ActiveFault {
  readonly scripted: ScriptedFault;
  timesLeft: number;
}

/** The faults that are on, and those that are planned. */
export class FaultScript {
  readonly #clock: Clock;
  readonly #onChange: (begun: ScriptedFault | undefined) => void;
  readonly #cancels = new Set<() => void>();
  #active: ActiveFault[] = [];

  /** `onChange` is called when a fault begins, with it, and without it when one has ended. */
  constructor(clock: Clock, onChange: (begun: ScriptedFault | undefined) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  add(scripted: ScriptedFault): void {
    if (scripted.afterMs === undefined || scripted.afterMs <= 0) this.#begin(scripted);
    else {
      this.#later(scripted.afterMs, () => {
        this.#begin(scripted);
      });
    }
  }

  /** Ends all faults and forgets the planned ones. */
  clear(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    this.#active = [];
    this.#onChange(undefined);
  }

  /** The fault of this kind that is on for this call, without counting it. */
  find<K extends Fault['kind']>(
    kind: K,
    kme?: string,
    call?: Call,
  ): Extract<Fault, { kind: K }> | undefined {
    return this.#find(kind, kme, call)?.[0];
  }

  /** The same, counted as one of its times. */
  strike<K extends Fault['kind']>(
    kind: K,
    kme: string,
    call?: Call,
  ): Extract<Fault, { kind: K }> | undefined {
    const found = this.#find(kind, kme, call);
    if (found === undefined) return undefined;
    const [fault, active] = found;
    active.timesLeft--;
    if (active.timesLeft <= 0) this.#end(active);
    return fault;
  }

  #find<K extends Fault['kind']>(
    kind: K,
    kme: string | undefined,
    call: Call | undefined,
  ): [Extract<Fault, { kind: K }>, ActiveFault] | undefined {
    for (const active of this.#active) {
      const { scripted } = active;
      if (scripted.kme !== undefined && kme !== undefined && scripted.kme !== kme) continue;
      if (scripted.call !== undefined && scripted.call !== call) continue;
      if (isKind(scripted.fault, kind)) return [scripted.fault, active];
    }
    return undefined;
  }

  #begin(scripted: ScriptedFault): void {
    if (scripted.fault.kind === 'restart') {
      this.#onChange(scripted);
      return;
    }
    const active = { scripted, timesLeft: scripted.times ?? Number.POSITIVE_INFINITY };
    this.#active.push(active);
    if (scripted.forMs !== undefined) {
      this.#later(scripted.forMs, () => {
        this.#end(active);
      });
    }
    this.#onChange(scripted);
  }

  #end(active: ActiveFault): void {
    this.#active = this.#active.filter((other) => other !== active);
    this.#onChange(undefined);
  }

  #later(ms: number, run: () => void): void {
    const cancel = this.#clock.after(ms, () => {
      this.#cancels.delete(cancel);
      run();
    });
    this.#cancels.add(cancel);
  }
}

function isKind<K extends Fault['kind']>(
  fault: Fault,
  kind: K,
): fault is Extract<Fault, { kind: K }> {
  return fault.kind === kind;
}
