import { describeCardConnection } from './card-connection.ts';
import { hidBench, inProcessBench, tcpBench, unixSocketBench } from './reader-benches.ts';

describeCardConnection('in process', inProcessBench);
describeCardConnection('virtual reader over TCP', tcpBench);
describeCardConnection('virtual reader over a Unix socket', unixSocketBench);
describeCardConnection('USB HID', hidBench);
