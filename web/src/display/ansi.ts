// ansi.ts - what a terminal would make of a program's output: colours, and a line that is
// written over again (progress bars). Everything else that terminals know is left out.
//
// Text goes in as it comes, in pieces cut anywhere; lines come out. The last line may still
// change: it is called open.

/** How a piece of text looks. Colours are 0 to 15 by name, or "#rrggbb". */
export interface Style {
	ink: number | string | null;
	paper: number | string | null;
	bold: boolean;
	dim: boolean;
	italic: boolean;
	underline: boolean;
	strike: boolean;
	inverse: boolean;
}

export interface Span {
	text: string;
	style: Style;
}

const PLAIN: Style = {
	ink: null, paper: null, bold: false, dim: false, italic: false, underline: false, strike: false, inverse: false,
};

/** No escape sequence that we wait for the end of is longer. */
const LONGEST_ESCAPE = 256;
/** An open line that is longer is not written over any more, so that it costs nothing. */
const LONGEST_OPEN = 8192;

const SPECIAL = /[\x00-\x08\x0b-\x1f\x7f\x9b]/;

export function isPlain(style: Style): boolean {
	return style === PLAIN;
}

/** The colour of a number from 16 to 255: a cube of 6 by 6 by 6, then 24 greys. */
function indexedColour(index: number): number | string {
	if (index < 16) return index;
	if (index >= 232) return hex([8, 8, 8].map((base) => base + 10 * (index - 232)));
	const part = (divisor: number) => Math.floor((index - 16) / divisor) % 6;
	return hex([36, 6, 1].map(part).map((level) => (level ? 55 + 40 * level : 0)));
}

function hex(parts: number[]): string {
	return '#' + parts.map((part) => Math.min(255, part).toString(16).padStart(2, '0')).join('');
}

/** `38;5;n` and `38;2;r;g;b`: the colour, and how many numbers it took. */
function extendedColour(numbers: number[], at: number): [number | string | null, number] {
	if (numbers[at] === 5 && numbers[at + 1] !== undefined) return [indexedColour(numbers[at + 1]! & 255), 2];
	if (numbers[at] === 2 && numbers[at + 3] !== undefined) return [hex(numbers.slice(at + 1, at + 4)), 4];
	return [null, numbers.length];
}

/** The style after "\x1b[...m". */
export function applyCodes(before: Style, codes: string): Style {
	let style = { ...before };
	const numbers = codes.split(/[;:]/).map((code) => Number(code) || 0);
	for (let i = 0; i < numbers.length; i++) {
		const code = numbers[i]!;
		if (code === 0) style = { ...PLAIN };
		else if (code === 1) style.bold = true;
		else if (code === 2) style.dim = true;
		else if (code === 3) style.italic = true;
		else if (code === 4) style.underline = true;
		else if (code === 7) style.inverse = true;
		else if (code === 9) style.strike = true;
		else if (code === 22) style.bold = style.dim = false;
		else if (code === 23) style.italic = false;
		else if (code === 24) style.underline = false;
		else if (code === 27) style.inverse = false;
		else if (code === 29) style.strike = false;
		else if (code >= 30 && code <= 37) style.ink = code - 30;
		else if (code === 39) style.ink = null;
		else if (code >= 40 && code <= 47) style.paper = code - 40;
		else if (code === 49) style.paper = null;
		else if (code >= 90 && code <= 97) style.ink = code - 82;
		else if (code >= 100 && code <= 107) style.paper = code - 92;
		else if (code === 38 || code === 48) {
			const [colour, used] = extendedColour(numbers, i + 1);
			if (code === 38) style.ink = colour;
			else style.paper = colour;
			i += used;
		}
	}
	const unchanged = (Object.keys(PLAIN) as (keyof Style)[]).every((key) => style[key] === PLAIN[key]);
	return unchanged ? PLAIN : style;
}

/** What is left of spans from a column on, or before it. */
function cut(spans: Span[], from: number, to: number): Span[] {
	const kept: Span[] = [];
	let column = 0;
	for (const span of spans) {
		const text = span.text.slice(Math.max(0, from - column), Math.max(0, to - column));
		if (text) kept.push({ text, style: span.style });
		column += span.text.length;
	}
	return kept;
}

/** What came out of a piece of text. */
export interface Lines {
	/** Lines that are complete, without their newlines. */
	closed: Span[][];
	/** The last line as it is now. It replaces the open line of the time before. */
	open: Span[];
	/** The beginning of a very long last line, which will not change any more. */
	fixed: Span[];
}

export class Terminal {
	private style = PLAIN;
	private open: Span[] = [];
	private length = 0;
	private column = 0;
	private pending = '';

	/** Is there nothing to interpret in this text? Then it may be shown as it is. */
	isSimple(text: string): boolean {
		return this.style === PLAIN && this.length === 0 && this.pending === '' && !SPECIAL.test(text);
	}

	write(text: string): Lines {
		const closed: Span[][] = [];
		let rest = this.pending + text;
		this.pending = '';
		while (rest) {
			const at = rest.search(/[\x00-\x08\x0a-\x1f\x7f\x9b]/);
			if (at !== 0) {
				this.put(at < 0 ? rest : rest.slice(0, at));
				rest = at < 0 ? '' : rest.slice(at);
				continue;
			}
			const used = this.control(rest, closed);
			if (used === 0) {
				this.pending = rest;
				break;
			}
			rest = rest.slice(used);
		}
		const fixed = this.fix();
		return { closed, fixed, open: this.open };
	}

	/** A long open line is given away, so that showing it again and again costs nothing. */
	private fix(): Span[] {
		return this.length > LONGEST_OPEN ? this.close() : [];
	}

	/** Begin a new line without a newline: what is open will not change any more. */
	close(): Span[] {
		const closed = this.open;
		this.open = [];
		this.length = this.column = 0;
		return closed;
	}

	private put(text: string): void {
		if (this.column < this.length) {
			const after = cut(this.open, this.column + text.length, this.length);
			this.open = [...cut(this.open, 0, this.column), { text, style: this.style }, ...after];
			this.length = Math.max(this.length, this.column + text.length);
		} else {
			const last = this.open[this.open.length - 1];
			if (last && last.style === this.style) last.text += text;
			else this.open.push({ text, style: this.style });
			this.length += text.length;
		}
		this.column += text.length;
	}

	/** A control character at the beginning of `rest`: how much it takes, 0 to wait for more. */
	private control(rest: string, closed: Span[][]): number {
		switch (rest[0]) {
			case '\n':
				closed.push(this.close());
				return 1;
			case '\r':
				this.column = 0;
				return 1;
			case '\b':
				this.column = Math.max(0, this.column - 1);
				return 1;
			case '\x1b':
				return this.escape(rest);
		}
		return 1; // a bell, a NUL: nothing to see
	}

	private escape(rest: string): number {
		const sequence = /^\x1b\[([0-9;:<=>?]*)[ -/]*([@-~])/.exec(rest);
		if (sequence) {
			if (sequence[2] === 'm') this.style = applyCodes(this.style, sequence[1]!);
			else if (sequence[2] === 'K') this.erase(Number(sequence[1]) || 0);
			return sequence[0].length;
		}
		// Titles and links of a terminal, up to their end; then two-character sequences.
		const other = /^\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)/.exec(rest) ?? /^\x1b[^[\]PX^_]/.exec(rest);
		if (other) return other[0].length;
		return rest.length < LONGEST_ESCAPE ? 0 : 1;
	}

	private erase(mode: number): void {
		if (mode === 0) this.open = cut(this.open, 0, this.column);
		else this.open = [];
		this.length = mode === 0 ? Math.min(this.length, this.column) : 0;
		if (mode !== 0) this.column = 0;
	}
}
