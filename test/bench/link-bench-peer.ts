/** The receiving process of the link's bench: `link-bench-peer bare | aes | otp-secret | otp`. */
import { WebSocketServer } from 'ws';
import { suiteCodes, toStationName, type Suite } from '../../applet-spec/names.ts';
import { openBenchEnd } from './link-bench-end.ts';

const [, , what = 'bare'] = process.argv;

/** `count` is how many records make the reference complete. */
function receiveBare(count: number): void {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  server.on('listening', () => {
    const address = server.address();
    process.send?.(typeof address === 'object' ? address?.port : 0);
  });
  server.on('connection', (socket) => {
    let received = 0;
    socket.on('message', () => {
      received++;
      if (received % count === 0) socket.send('done');
    });
  });
}

async function receiveLinked(suite: Suite): Promise<void> {
  const { links } = await openBenchEnd('q2', 'q1', suite);
  const peer = toStationName('q1');
  links.listen({
    linkUp: () => undefined,
    linkDown: () => undefined,
    received: (_peer, records) => {
      const rowIds = records.map(({ rowId }) => rowId);
      links.confirm(peer, rowIds);
    },
    confirmed: () => undefined,
    notUnderstood: () => undefined,
    told: () => undefined,
  });
  process.send?.(links.port);
}

function isSuite(word: string): word is Suite {
  return Object.hasOwn(suiteCodes, word);
}

process.on('disconnect', () => {
  process.exit(0);
});
if (isSuite(what)) await receiveLinked(what);
else receiveBare(Number(process.argv[3]));
