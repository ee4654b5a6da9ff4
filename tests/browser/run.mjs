// run.mjs FILE [TEST]: run one file of browser tests, or those whose name has TEST in it.
//
//   PASS: browser/runs prints (0.3 s)
//   FAIL: ...       with the error below it
//
// Exits 0 if none failed.
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runTests } from './support.mjs';

const [file, only] = process.argv.slice(2);
await import(pathToFileURL(resolve(file)).href);
const bad = await runTests(`browser/${basename(file, '.test.mjs')}`, only);
process.exit(bad ? 1 : 0);
