import {
  hidBench,
  inProcessBench,
  tcpBench,
  unixSocketBench,
} from '../../contract/reader-benches.ts';
import { describeConformanceBehind } from './conformance-on-readers.ts';

describeConformanceBehind('the in-process reader', inProcessBench);
describeConformanceBehind('the virtual reader over TCP', tcpBench);
describeConformanceBehind('the virtual reader over a Unix socket', unixSocketBench);
describeConformanceBehind('USB HID', hidBench);
