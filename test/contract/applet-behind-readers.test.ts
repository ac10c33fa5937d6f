import { describeAppletBehind } from './applet-behind-reader.ts';
import { hidBench, inProcessBench, unixSocketBench } from './reader-benches.ts';

describeAppletBehind('the in-process reader', inProcessBench);
describeAppletBehind('the virtual reader', unixSocketBench);
describeAppletBehind('USB HID', hidBench);
