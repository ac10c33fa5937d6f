import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../applet-spec/clock.ts';

/** Debian's places. */
const pcscdProgram = '/usr/sbin/pcscd';
const vpcdDriver = '/usr/lib/pcsc/drivers/serial/libifdvpcd.so';
const START_TIMEOUT_MS = 10_000;
const PROBE_EVERY_MS = 20;

/**
 * What is missing for a private pcscd and how to install it, in one line; undefined where nothing
 * is.
 */
export function privatePcscdMissing(): string | undefined {
  const missing = [
    ...(existsSync(pcscdProgram) ? [] : ['pcscd']),
    ...(existsSync(vpcdDriver) ? [] : ['vsmartcard-vpcd']),
    ...(existsSync('/usr/bin/unshare') ? [] : ['util-linux']),
  ];
  if (missing.length === 0) return undefined;
  return `not installed: ${missing.join(', ')} (Debian: apt install ${missing.join(' ')})`;
}

/** Where the pcscd of a folder will listen, for clients that are started before it. */
export function privatePcscdSocket(folder: string): string {
  return join(folder, 'sock', 'pcscd.comm');
}

/**
 * The real pcscd with Debian's virtual readers, away from the system's own: its socket is seen only
 * by those who set PCSCLITE_CSOCK_NAME. Cards plug into `ports` as vpcd clients. Linux only;
 * without root it needs user namespaces.
 */
export class PrivatePcscd {
  /** For the environment of every PC/SC client: PCSCLITE_CSOCK_NAME. */
  readonly socketPath: string;
  /** Of the two readers. */
  readonly ports: readonly [number, number];
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #preload: string | undefined;
  #daemon: ChildProcess | undefined;

  private constructor(folder: string, port: number, preload: string | undefined, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
    this.#preload = preload;
    this.ports = [port, port + 1];
    this.socketPath = privatePcscdSocket(folder);
  }

  /** The daemon's process; undefined while it does not run. */
  get pid(): number | undefined {
    return this.#daemon?.pid;
  }

  /**
   * `folder` is an empty one of the caller's, who removes it. Throws Error saying what went wrong.
   */
  static async start(folder: string, clock: Clock): Promise<PrivatePcscd> {
    const missing = privatePcscdMissing();
    if (missing !== undefined) throw new Error(missing);
    mkdirSync(join(folder, 'sock'));
    mkdirSync(join(folder, 'readers'));
    const port = await freePortPair();
    const reader = [
      'FRIENDLYNAME "Virtual PCD"',
      `DEVICENAME /dev/null:${port}`,
      `LIBPATH ${vpcdDriver}`,
      `CHANNELID 0x${port.toString(16).toUpperCase()}`,
    ];
    writeFileSync(join(folder, 'readers', 'vpcd'), `${reader.join('\n')}\n`);
    const pcscd = new PrivatePcscd(folder, port, compilePreload(folder), clock);
    await pcscd.resume();
    return pcscd;
  }

  /** Starts it again after `stop` or `kill`, on the same socket and ports. */
  async resume(): Promise<void> {
    // Left over from a daemon that was killed, they would look like one that runs.
    for (const file of ['pcscd.comm', 'pcscd.pid']) {
      rmSync(join(this.#folder, 'sock', file), { force: true });
    }
    const script = [
      // Where pcscd has never run its folder is missing; none is made outside the namespace.
      '{ [ -d /run/pcscd ] || { mount -t tmpfs tmpfs /run && mkdir /run/pcscd; }; }',
      'mount --bind "$1/sock" /run/pcscd',
      // The daemon ends with the program that started it, however that ends.
      'exec setpriv --pdeathsig TERM "$2" --foreground --config "$1/readers"',
    ].join(' && ');
    const asUser = process.getuid?.() === 0 ? [] : ['--map-root-user'];
    const daemon = spawn(
      'unshare',
      [...asUser, '--mount', 'sh', '-c', script, 'sh', this.#folder, pcscdProgram],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, ...(this.#preload && { LD_PRELOAD: this.#preload }) },
      },
    );
    this.#daemon = daemon;
    let complaints = '';
    daemon.stderr.on('data', (chunk: Uint8Array) => {
      complaints = `${complaints}${new TextDecoder().decode(chunk)}`.slice(-2_000);
    });
    await this.#listening(daemon, () => complaints);
  }

  /** As a service manager stops it. Resolves when it has ended. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** As a crash. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (daemon?.exitCode !== null || daemon.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      // A driver thread that waits for a mute card keeps pcscd from ending in order.
      const cancel = this.#clock.after(3_000, () => daemon.kill('SIGKILL'));
      daemon.once('exit', () => {
        cancel();
        resolve();
      });
      daemon.kill(signal);
    });
  }

  async #listening(daemon: ChildProcess, complaints: () => string): Promise<void> {
    const { socketPath } = this;
    await new Promise<void>((resolve, reject) => {
      let cancelProbe = (): void => undefined;
      const cancelTimeout = this.#clock.after(START_TIMEOUT_MS, () => {
        settle(new Error(`pcscd did not start within ${START_TIMEOUT_MS} ms: ${complaints()}`));
      });
      const exited = (): void => {
        settle(new Error(`pcscd ended at once: ${complaints()}`));
      };
      const settle = (error?: Error): void => {
        cancelProbe();
        cancelTimeout();
        daemon.off('exit', exited);
        daemon.off('error', settle);
        if (error === undefined) resolve();
        else reject(error);
      };
      const probe = (): void => {
        const client = createConnection(socketPath);
        client.on('error', () => {
          cancelProbe = this.#clock.after(PROBE_EVERY_MS, probe);
        });
        client.once('connect', () => {
          client.destroy();
          settle();
        });
      };
      daemon.once('exit', exited);
      daemon.once('error', settle);
      probe();
    });
  }
}

/** The C file is beside the sources; a build puts this file one folder deeper, under dist/. */
function compilePreload(folder: string): string | undefined {
  const source = ['./vpcd-nodelay.c', '../../../emulator/card/vpcd-nodelay.c']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path));
  if (source === undefined) return undefined;
  const library = join(folder, 'vpcd-nodelay.so');
  // Without a compiler all works, at some 20 APDUs a second.
  const { status } = spawnSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl']);
  return status === 0 ? library : undefined;
}

/** Two neighbouring ports that are free now. */
async function freePortPair(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = await bindable(0);
    if (port !== undefined && port < 65_535 && (await bindable(port + 1)) !== undefined)
      return port;
  }
  throw new Error('no two neighbouring TCP ports are free');
}

function bindable(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(undefined);
    });
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(address !== null && typeof address === 'object' ? address.port : undefined);
      });
    });
  });
}
