// stream.ts - one run, followed to its end.
//
// The service is asked for a stream of events. A stream that breaks is taken up again with
// Last-Event-ID, as often as it takes: the program goes on meanwhile, for a few seconds at
// least. A service that answers with one JSON object is understood as well: then everything
// comes at the end.
import { Away, call, Problem, request } from './api.ts';
import { events } from './events.ts';
import { sessionPath } from './session.ts';
import type { Display, Result } from './types.ts';

/** What a run does, in the order in which it does it. */
export interface Listener {
	start(execution: number): void;
	text(stream: 'stdout' | 'stderr', text: string): void;
	display(display: Display): void;
	input(prompt: string, password: boolean): void;
	gap(bytes: number): void;
	/** The connection broke, and is being made again. */
	broken(): void;
}

const TRIES = 8;

/** Is this a stream of events? */
function isStream(response: Response): boolean {
	return (response.headers.get('Content-Type') ?? '').startsWith('text/event-stream');
}

class Follower {
	private last = '';
	private execution = 0;

	constructor(private readonly listener: Listener) {}

	/** Run this code in the session. Rejects with Problem, Away, or a lost run. */
	async run(code: string, timeout: number): Promise<Result> {
		const response = await request('POST', sessionPath('/execute'), {
			json: { code, timeout, interactive: true },
			accept: 'text/event-stream',
		});
		return this.take(response);
	}

	/** Follow a cell that runs already, from its beginning. */
	async attach(execution: number): Promise<Result> {
		this.execution = execution;
		return this.again();
	}

	private async take(response: Response): Promise<Result> {
		if (!isStream(response) || !response.body) return this.whole((await response.json()) as Result);
		return (await this.read(response.body)) ?? this.resume();
	}

	/** All at once: what would have been events comes from the answer. */
	private whole(result: Result): Result {
		if (result.execution) this.listener.start(result.execution);
		if (result.stdout) this.listener.text('stdout', result.stdout);
		if (result.stderr) this.listener.text('stderr', result.stderr);
		for (const display of result.outputs) this.listener.display(display);
		return result;
	}

	/** The result, or null if the stream broke before it. */
	private async read(body: ReadableStream<Uint8Array>): Promise<Result | null> {
		const stream = events(body);
		for (;;) {
			let next;
			try {
				next = await stream.next();
			} catch {
				return null;
			}
			if (next.done) return null;
			if (next.value.id) this.last = next.value.id;
			const result = this.event(next.value.name, JSON.parse(next.value.data));
			if (result) return result;
		}
	}

	private event(name: string, data: any): Result | null {
		switch (name) {
			case 'start':
				this.execution = Number(data.execution) || 0;
				this.listener.start(this.execution);
				break;
			case 'stdout':
			case 'stderr':
				this.listener.text(name, String(data.text ?? ''));
				break;
			case 'display':
				this.listener.display(data as Display);
				break;
			case 'input':
				this.listener.input(String(data.prompt ?? ''), data.password === true);
				break;
			case 'gap':
				this.listener.gap(Number(data.lost_bytes) || 0);
				break;
			case 'error':
				throw new Problem(Number(data.status) || 500, String(data.detail ?? data.title ?? ''), [], 0);
			case 'result':
				if (!this.execution && data.execution) this.listener.start(Number(data.execution));
				return data as Result;
		}
		return null; // an event of a kind that this page does not know
	}

	private async resume(): Promise<Result> {
		if (!this.execution) throw new Away(); // it broke before the program began
		this.listener.broken();
		for (let attempt = 0; attempt < TRIES; attempt++) {
			await new Promise((resolve) => setTimeout(resolve, 150 * 1.7 ** attempt));
			try {
				return await this.again();
			} catch (error) {
				if (!(error instanceof Away)) throw error;
			}
		}
		throw new Away();
	}

	private async again(): Promise<Result> {
		const path = sessionPath(`/cells/${this.execution}`);
		const headers: Record<string, string> = this.last ? { 'Last-Event-ID': this.last } : {};
		const response = await request('GET', path, { accept: 'text/event-stream', headers });
		if (!isStream(response) || !response.body) return (await response.json()) as Result;
		return (await this.read(response.body)) ?? this.resume();
	}
}

/** Run code in the session and tell the listener what it does. */
export function runCode(code: string, timeout: number, listener: Listener): Promise<Result> {
	return new Follower(listener).run(code, timeout);
}

/** Follow a cell of the session that runs already. */
export function followCell(execution: number, listener: Listener): Promise<Result> {
	return new Follower(listener).attach(execution);
}

/** Give the waiting program a line, or the end of its input. */
export function sendInput(data: string, eof: boolean): Promise<unknown> {
	return call('POST', sessionPath('/stdin'), { json: eof ? { data, eof: true } : { data } });
}
