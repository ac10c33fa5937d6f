import { connect } from 'node:tls';
import type { Clock } from '../../applet-spec/clock.ts';
import { messageIn } from './etsi-014-refusal.ts';
import type { Check, Finding } from './probe-check.ts';

/** How long a connection without a certificate is given to be refused. */
const patienceMs = 5_000;

/** What is tried of the TLS connection itself, before any request. */
export function tlsChecks(clock: Clock): readonly Check[] {
  return [
    {
      id: 'tls.client-certificate',
      clause: '5, mutual authentication',
      run: (device) => withoutCertificate(new URL(device.url), clock),
    },
  ];
}

/**
 * Asks for the status without a client certificate. The request tells nothing and the answer is not
 * used, so it does not matter here who the key manager is.
 */
function withoutCertificate(url: URL, clock: Clock): Promise<Finding> {
  return new Promise((resolve) => {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const port = url.port === '' ? 443 : Number(url.port);
    const socket = connect({ host, port, rejectUnauthorized: false });
    const end = (finding: Finding): void => {
      cancel();
      socket.destroy();
      resolve(finding);
    };
    const cancel = clock.after(patienceMs, () => {
      end({ deviates: 'neither refuses nor answers a connection without a client certificate' });
    });
    socket.on('secureConnect', () => {
      socket.write(
        'GET /api/v1/keys/keytoll-probe/status HTTP/1.1\r\n' +
          `host: ${url.host}\r\nconnection: close\r\n\r\n`,
      );
    });
    socket.once('data', (data: Uint8Array) => {
      const [line = ''] = new TextDecoder().decode(data.subarray(0, 64)).split('\r\n');
      const answers = `answers "${messageIn(line)}" without a client certificate`;
      end(
        /^HTTP\/1\.[01] (400|401|403|495|496)/.test(line)
          ? { conforms: answers }
          : { deviates: answers },
      );
    });
    socket.on('error', () => {
      end(undefined);
    });
    socket.on('close', () => {
      end(undefined);
    });
  });
}
