import type { Device, HIDAsync } from 'node-hid';
import { ReaderError } from './reader-error.ts';

/** What the driver uses of `node-hid`, in its own shape: the emulated device stands in here. */
export interface HidLibrary {
  devicesAsync(): Promise<HidDeviceInfo[]>;
  readonly HIDAsync: { open(path: string): Promise<HidDevice> };
}

export type HidDeviceInfo = Pick<Device, 'path' | 'usagePage' | 'usage' | 'product'>;

export type HidDevice = Pick<HIDAsync, 'write' | 'close'> & {
  on(event: 'data', listener: (report: Uint8Array) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
};

/** Throws ReaderError not-installed. */
export async function loadNodeHid(): Promise<HidLibrary> {
  try {
    const { default: nodeHid } = await import('node-hid');
    // The native part is loaded at the first call; without libusb or libudev that is what fails.
    await nodeHid.devicesAsync();
    return nodeHid;
  } catch (cause) {
    const message =
      'reading cards on USB HID needs the package node-hid and its library: install libusb-1.0-0 ' +
      '(Debian: apt install libusb-1.0-0), then npm install again';
    throw new ReaderError('not-installed', message, { cause });
  }
}
