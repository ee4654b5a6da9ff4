// events.ts - server-sent events from a response's body. (EventSource would do, but for that
// it cannot send a program: it only knows GET.)

export interface ServerEvent {
	id: string;
	name: string;
	data: string;
}

/** The events of a stream, as they come. Ends with the stream; throws if it breaks. */
export async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
	const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
	const parser = new EventParser();
	try {
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return;
			yield* parser.feed(value);
		}
	} finally {
		reader.cancel().catch(() => {});
	}
}

/** The lines of a stream, and the events that they make up. */
export class EventParser {
	private rest: string[] = [];
	private id = '';
	private name = '';
	private data: string[] = [];

	*feed(text: string): Generator<ServerEvent> {
		let start = 0;
		for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
			// A long line comes in many pieces: they are joined once, at its end.
			this.rest.push(text.slice(start, end));
			const line = this.rest.join('');
			this.rest = [];
			start = end + 1;
			const event = this.line(line.endsWith('\r') ? line.slice(0, -1) : line);
			if (event) yield event;
		}
		if (start < text.length) this.rest.push(text.slice(start));
	}

	private line(line: string): ServerEvent | null {
		if (line === '') {
			const event = { id: this.id, name: this.name || 'message', data: this.data.join('\n') };
			const complete = this.data.length > 0;
			this.name = '';
			this.data = [];
			return complete ? event : null;
		}
		const colon = line.indexOf(':');
		if (colon === 0) return null; // a comment: it keeps proxies awake
		const field = colon < 0 ? line : line.slice(0, colon);
		const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
		if (field === 'event') this.name = value;
		else if (field === 'data') this.data.push(value);
		else if (field === 'id') this.id = value;
		return null;
	}
}
