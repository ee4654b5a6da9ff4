// transcript.ts - one stream's text within a run's output, for any amount of it.
//
// The text is put into chunks of some hundred lines. A chunk out of sight is not laid out
// (content-visibility in CSS), and when there are too many, those in the middle go: the
// beginning and the end of what a program printed are what one looks for.
import { element } from '../dom.ts';
import { isPlain, Terminal } from './ansi.ts';
import type { Span, Style } from './ansi.ts';

const CHUNK_CHARACTERS = 12_000;
const CHUNKS_MOST = 160;
const CHUNKS_AT_START = 8;

/** Turns the text of a line into nodes; for tracebacks' places. Null: nothing special. */
export type Linker = (line: string) => (Node | string)[] | null;

function colourOf(target: HTMLElement, property: 'color' | 'backgroundColor', colour: number | string | null): void {
	if (typeof colour === 'number') target.classList.add(`${property === 'color' ? 'ink' : 'paper'}-${colour}`);
	else if (colour) target.style[property] = colour;
}

function styled(text: string, style: Style): HTMLElement {
	const span = element('span', {}, text);
	for (const name of ['bold', 'dim', 'italic', 'underline', 'strike', 'inverse'] as const)
		if (style[name]) span.classList.add(`t-${name}`);
	colourOf(span, 'color', style.inverse ? style.paper : style.ink);
	colourOf(span, 'backgroundColor', style.inverse ? style.ink : style.paper);
	return span;
}

function nodesOf(spans: Span[]): (Node | string)[] {
	return spans.map(({ text, style }) => (isPlain(style) ? text : styled(text, style)));
}

/** The text of spans that have no style; null if they have. */
function plainText(spans: Span[]): string | null {
	return spans.every(({ style }) => isPlain(style)) ? spans.map((span) => span.text).join('') : null;
}

export class Transcript {
	readonly root: HTMLElement;
	private readonly terminal = new Terminal();
	private chunk: HTMLElement | null = null;
	private chunkSize = 0;
	private chunks = 0;
	private dropped: HTMLElement | null = null;
	private readonly open = element('span', { class: 'open' });

	constructor(kind: 'stdout' | 'stderr', private readonly link: Linker | null) {
		this.root = element('div', { class: `stream ${kind}` });
	}

	append(text: string): void {
		// The common case, and the one that must be fast: whole lines without any control
		// character become text nodes as they are.
		const lines = this.link || !this.terminal.isSimple(text) ? 0 : text.lastIndexOf('\n') + 1;
		this.appendSimple(text.slice(0, lines));
		if (lines < text.length) this.appendLines(text.slice(lines));
	}

	/** Put an element after the text so far, in the same line. */
	insert(node: HTMLElement): void {
		this.open.remove();
		const open = this.terminal.close();
		if (open.length) this.addLine(open, '');
		this.add([node], 1);
	}

	private appendSimple(text: string): void {
		for (let start = 0; start < text.length; ) {
			let end = start + Math.max(1, CHUNK_CHARACTERS - this.chunkSize);
			// Up to the end of a line; a line that is longer than a chunk stays whole.
			end = end >= text.length ? text.length : text.indexOf('\n', end) + 1 || text.length;
			this.add([text.slice(start, end)], end - start);
			start = end;
		}
	}

	private appendLines(text: string): void {
		const { closed, fixed, open } = this.terminal.write(text);
		this.open.remove();
		let plain = ''; // lines in a row that are nothing but text
		for (const spans of closed) {
			const text = this.link ? null : plainText(spans);
			if (text !== null) {
				plain += text + '\n';
				continue;
			}
			this.appendSimple(plain);
			plain = '';
			this.addLine(spans, '\n');
		}
		this.appendSimple(plain);
		if (fixed.length) this.addLine(fixed, '');
		if (open.length === 0) return;
		this.open.replaceChildren(...nodesOf(open));
		this.room().append(this.open);
	}

	private addLine(spans: Span[], end: string): void {
		const text = plainText(spans);
		const nodes = text === null ? nodesOf(spans) : (this.link?.(text) ?? [text]);
		this.add([...nodes, end], spans.reduce((sum, span) => sum + span.text.length, 1));
	}

	private add(nodes: (Node | string)[], size: number): void {
		this.room().append(...nodes);
		this.chunkSize += size;
	}

	/** The chunk to write into. */
	private room(): HTMLElement {
		if (this.chunk && this.chunkSize < CHUNK_CHARACTERS) return this.chunk;
		this.chunk = element('div', { class: 'chunk' });
		this.chunkSize = 0;
		this.root.append(this.chunk);
		if (++this.chunks > CHUNKS_MOST) this.drop();
		return this.chunk;
	}

	private drop(): void {
		if (!this.dropped) {
			this.dropped = element('div', { class: 'dropped' }, 'Some of the output is not shown here.');
			this.root.children[CHUNKS_AT_START - 1]?.after(this.dropped);
		}
		this.dropped.nextElementSibling?.remove();
		this.chunks--;
	}
}
