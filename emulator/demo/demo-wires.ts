/** Requirement 4, earned: every byte on every wire of the demo, searched. */
import { DemoError } from './demo-error.ts';
import type { DemoOptions, Stage } from './demo-story.ts';
import { secretsOf, type DemoUser } from './demo-user.ts';
import { blindSpots, searchRecordings } from './recorder-search.ts';
import type { Segment } from './recorder.ts';

const segments: readonly Segment[] = ['card-host', 'host-station', 'station-station'];

/** Ends all programs first, so that the recordings are whole. True where anything was seen. */
export async function lookInto(
  { tell }: Pick<DemoOptions, 'tell'>,
  { programs, recorder }: Stage,
  users: readonly DemoUser[],
): Promise<boolean> {
  await programs.endAll();
  const { recordings } = recorder;
  const [blind] = blindSpots(recordings);
  if (blind !== undefined) {
    throw new DemoError(`the recorder could not look into ${blind.stream}: ${blind.reason}`);
  }
  const missing = segments.find((one) => recordings.every(({ segment }) => segment !== one));
  if (missing !== undefined) throw new DemoError(`no wire of the kind ${missing} was recorded`);
  const needles = users.flatMap(secretsOf);
  const [finding] = searchRecordings(recordings, needles);
  const bytes = recordings.reduce((sum, one) => sum + one.toTarget.length + one.toClient.length, 0);
  const what = `${needles.length} certificates, coin secrets and keys`;
  tell(
    '',
    `All ${bytes} bytes on ${recordings.length} wires were recorded and searched for ${what}:`,
  );
  tell(
    '',
    finding === undefined
      ? 'none was seen in clear.'
      : `${finding.needle} was seen in clear on ${finding.stream} (${finding.form}).`,
  );
  return finding !== undefined;
}
