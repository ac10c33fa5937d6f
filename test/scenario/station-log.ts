import { pino } from 'pino';
import type { Logger } from '../../daemon/station/log.ts';

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [detail: string]: unknown;
}

/** A station's log in memory. */
export class StationLog {
  readonly lines: LogLine[] = [];
  readonly log: Logger;

  constructor(station: string) {
    this.log = pino(
      { level: 'debug', base: { station } },
      { write: (line: string) => this.lines.push(JSON.parse(line) as LogLine) },
    );
  }

  /** Drops the lines so far; what runs for hours would fill the memory. */
  forget(): void {
    this.lines.length = 0;
  }

  /** What the operator should look at, as `message: detail`. */
  get complaints(): string[] {
    return this.lines
      .filter(({ level }) => level >= 40)
      .map((line) => JSON.stringify({ ...line, level: undefined, time: undefined }).slice(0, 400));
  }
}
