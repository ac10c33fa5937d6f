/**
 * What the driver uses of its two optional native packages, stated here so that the driver compiles
 * where they are not installed.
 */

declare module 'pcsclite' {
  import type { EventEmitter } from 'node:events';

  export interface CardReader extends EventEmitter<{
    status: [{ state: number; atr?: Uint8Array }];
    error: [Error];
    end: [];
  }> {
    readonly name: string;
    readonly connected: boolean;
    readonly SCARD_SHARE_EXCLUSIVE: number;
    readonly SCARD_STATE_PRESENT: number;
    readonly SCARD_STATE_MUTE: number;
    readonly SCARD_PROTOCOL_T0: number;
    readonly SCARD_UNPOWER_CARD: number;
    connect(
      options: { share_mode: number },
      done: (error: Error | null | undefined, protocol: number) => void,
    ): void;
    disconnect(disposition: number, done: (error?: Error | null) => void): void;
    transmit(
      command: Buffer,
      responseBytes: number,
      protocol: number,
      done: (error: Error | null | undefined, response: Uint8Array) => void,
    ): void;
    close(): void;
  }

  export interface PcscLite extends EventEmitter<{ reader: [CardReader]; error: [Error] }> {
    close(): void;
  }

  /** Throws where the service does not answer. */
  export default function pcsclite(): PcscLite;
}

declare module 'node-hid' {
  import type { EventEmitter } from 'node:events';

  export interface Device {
    readonly vendorId: number;
    readonly productId: number;
    readonly path?: string | undefined;
    readonly manufacturer?: string | undefined;
    readonly product?: string | undefined;
    readonly serialNumber?: string | undefined;
    readonly usagePage?: number | undefined;
    readonly usage?: number | undefined;
  }

  export interface HIDAsync extends EventEmitter<{ data: [Uint8Array]; error: [Error] }> {
    write(report: number[]): Promise<number>;
    close(): Promise<void>;
  }

  const nodeHid: {
    devicesAsync(): Promise<Device[]>;
    readonly HIDAsync: { open(path: string): Promise<HIDAsync> };
  };
  export default nodeHid;
}
