// outcome.ts - how a run ended, in words.
import type { Result } from '../server/types.ts';

export interface Outcome {
	kind: 'good' | 'bad' | 'stopped';
	/** A few words, for the run's head. */
	short: string;
	/** A sentence, with what became of the variables. */
	long: string;
}

/** 0.4 ms, 12 ms, 1.2 s, 2 min 5 s */
export function duration(seconds: number): string {
	const ms = seconds * 1000;
	if (ms < 1) return `${ms.toFixed(1)} ms`;
	if (ms < 1000) return `${Math.round(ms)} ms`;
	if (seconds < 10) return `${seconds.toFixed(1).replace(/\.0$/, '')} s`;
	if (seconds < 60) return `${Math.round(seconds)} s`;
	return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** 512 B, 3.1 kB, 9.4 MB: in powers of 1024, as the limits are. */
export function bytes(count: number): string {
	const units = ['B', 'kB', 'MB', 'GB'];
	let unit = 0;
	while (count >= 1000 && unit < units.length - 1) {
		count /= 1024;
		unit++;
	}
	return `${unit > 0 && count < 10 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

const SIGNALS: Record<string, string> = {
	SIGSEGV: 'a segmentation fault', SIGABRT: 'an abort', SIGKILL: 'a kill', SIGFPE: 'an arithmetic fault',
	SIGBUS: 'a bus error', SIGILL: 'an illegal instruction', SIGTERM: 'SIGTERM', SIGSYS: 'a forbidden system call',
	11: 'a segmentation fault', 6: 'an abort', 9: 'a kill', 8: 'an arithmetic fault', 7: 'a bus error', 4: 'an illegal instruction',
};

/** What became of the variables; nothing to say when they are as one expects. */
function variables(result: Result): string {
	if (result.state === 'restored') return 'Your variables are as they were before this run.';
	if (result.state === 'lost') return 'Your variables were lost; the session starts afresh.';
	return result.status === 'timeout' || result.reason === 'interrupted' ? 'Your variables were kept.' : '';
}

function words(result: Result, after: string, firstLine: number): { kind: Outcome['kind']; short: string; why: string } {
	const error = result.exception;
	const at = error?.line ? ` on line ${error.line + firstLine - 1}` : '';
	switch (result.reason) {
		case null:
			return { kind: 'good', short: 'finished', why: `Finished in ${after}.` };
		case 'exception':
			return { kind: 'bad', short: error?.type ?? 'error', why: `${error?.type ?? 'An exception'}${at} after ${after}.` };
		case 'exit':
			return result.return_code === 0
				? { kind: 'good', short: 'exited', why: `The program ended itself after ${after}.` }
				: { kind: 'bad', short: `exit code ${result.return_code}`, why: `Ended with exit code ${result.return_code} after ${after}.` };
		case 'wall_time':
			return { kind: 'stopped', short: 'out of time', why: `Stopped after ${after}.` };
		case 'cpu_time':
			return { kind: 'stopped', short: 'out of processor time', why: `Stopped: it used all of its processor time, in ${after}.` };
		case 'memory':
			return { kind: 'stopped', short: 'out of memory', why: 'Stopped: it needed more memory than a program may have.' };
		case 'output':
			return { kind: 'stopped', short: 'too much output', why: 'Stopped: it printed more than a program may.' };
		case 'processes':
			return { kind: 'stopped', short: 'too many processes', why: 'Stopped: it started more processes than it may.' };
		case 'disk':
			return { kind: 'stopped', short: 'no room for files', why: 'Stopped: its files need more room than there is.' };
		case 'interrupted':
			return { kind: 'stopped', short: 'stopped by you', why: `Stopped by you after ${after}.` };
		case 'crash': {
			const cause = SIGNALS[String(result.signal)] ?? `signal ${result.signal}`;
			return { kind: 'bad', short: 'crashed', why: `Python crashed after ${after}: ${cause}.` };
		}
		case 'internal':
			return { kind: 'bad', short: 'the service failed', why: 'The service failed; this is not your program\'s fault.' };
		default:
			return { kind: 'bad', short: result.reason, why: `Ended: ${result.reason}.` };
	}
}

/** The outcome of a run of a text that begins at this line of the editor. */
export function outcome(result: Result, firstLine = 1): Outcome {
	const { kind, short, why } = words(result, duration(result.execution_time), firstLine);
	return { kind, short, long: `${why} ${variables(result)}`.trim() };
}

/** "12 ms · 9.4 MB" */
export function used(result: Result): string {
	const memory = result.usage?.memory_peak_bytes;
	return duration(result.execution_time) + (memory ? ` · ${bytes(memory)}` : '');
}
