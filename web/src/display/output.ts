// output.ts - the Output panel: a card for each run, in the order in which they ran.
import { byId, element, icon } from '../dom.ts';
import type { Display, Result } from '../server/types.ts';
import { bytes, outcome, used } from './outcome.ts';
import { displayView } from './rich.ts';
import { traceLinker } from './traceback.ts';
import type { Place } from './traceback.ts';
import { Transcript } from './transcript.ts';

const CARDS_MOST = 30;
/** This close to its end, the panel follows what comes. */
const FOLLOW_PIXELS = 48;

const panel = () => byId('output');

function isAtEnd(): boolean {
	const { scrollHeight, scrollTop, clientHeight } = panel();
	return scrollHeight - scrollTop - clientHeight < FOLLOW_PIXELS;
}

/** What the panel says before the first run. */
export function showEmpty(lines: (Node | string)[]): void {
	panel().replaceChildren(element('div', { class: 'empty' }, ...lines));
}

export function clearOutput(): void {
	panel().replaceChildren();
}

/** One run's card. Text is collected and shown once a frame; the first piece at once. */
export class RunCard {
	private readonly root = element('article', { class: 'run' });
	private readonly title = element('span', { class: 'run-title' });
	private readonly end = element('span', { class: 'run-end' });
	private readonly body = element('div', { class: 'run-body' });
	private transcript: { stream: string; view: Transcript } | null = null;
	private waiting: { stream: 'stdout' | 'stderr'; text: string[] }[] = [];
	private frame = 0;
	private pictures = 0;
	private seen = '';
	private number = 0;

	constructor(what: string, private readonly show: (place: Place) => void) {
		this.title.textContent = what;
		this.root.setAttribute('aria-label', what);
		this.root.append(element('header', {}, this.title, this.end), this.body);
		panel().querySelector('.empty')?.remove();
		const follow = isAtEnd();
		panel().append(this.root);
		while (panel().childElementCount > CARDS_MOST) panel().firstElementChild?.remove();
		this.end.replaceChildren(element('span', { class: 'chip running' }, 'running'));
		if (follow) panel().scrollTop = panel().scrollHeight;
	}

	/** The service has numbered the run. */
	started(execution: number, what: string): void {
		this.number = execution;
		this.title.textContent = what;
		this.root.setAttribute('aria-label', what);
	}

	text(stream: 'stdout' | 'stderr', text: string): void {
		const last = this.waiting[this.waiting.length - 1];
		if (last?.stream === stream) last.text.push(text);
		else this.waiting.push({ stream, text: [text] });
		if (this.seen.length < 400) this.seen += text;
		// The first text is what somebody who pressed a key waits for.
		if (!this.transcript && !this.frame) this.flush();
		this.frame ||= requestAnimationFrame(() => this.flush());
	}

	private flush(): void {
		cancelAnimationFrame(this.frame);
		this.frame = 0;
		if (this.waiting.length === 0) return;
		const follow = isAtEnd();
		for (const { stream, text } of this.waiting) this.stream(stream).append(text.join(''));
		this.waiting = [];
		if (follow) panel().scrollTop = panel().scrollHeight;
	}

	private stream(stream: 'stdout' | 'stderr'): Transcript {
		if (this.transcript?.stream === stream) return this.transcript.view;
		const view = new Transcript(stream, stream === 'stderr' ? traceLinker(this.show) : null);
		if (stream === 'stderr') view.root.prepend(element('span', { class: 'tag' }, 'stderr'));
		this.transcript = { stream, view };
		this.body.append(view.root);
		return view;
	}

	/** Put something after all that has been written so far. */
	private add(...nodes: Node[]): void {
		this.flush();
		const follow = isAtEnd();
		this.transcript = null;
		this.body.append(...nodes);
		if (follow) panel().scrollTop = panel().scrollHeight;
	}

	display(display: Display): void {
		this.pictures++;
		const view = displayView(display, `picture-${this.number || 1}-${this.pictures}`);
		// A picture has its height only when it has been decoded.
		view.querySelector('img')?.addEventListener('load', () => view.scrollIntoView({ block: 'nearest' }));
		this.add(view);
	}

	/** What a person typed for the program, where the program's prompt is. */
	typed(text: string): void {
		this.flush();
		this.stream('stdout').insert(element('span', { class: 'typed' }, text));
	}

	gap(lost: number): void {
		this.add(element('div', { class: 'dropped' }, `${bytes(lost)} of the output are not kept.`));
	}

	/** A sentence within the card. */
	remark(text: string): void {
		this.add(element('div', { class: 'remark' }, text));
	}

	finish(result: Result): void {
		if (result.result !== null)
			this.add(element('div', { class: 'result' }, element('span', { class: 'tag' }, 'result'), element('pre', {}, result.result)));
		if (result.truncated.stdout || result.truncated.stderr) this.remark('The output was cut off here: it is longer than a program may print.');
		const { kind, short, long } = outcome(result);
		if (kind !== 'good' && result.reason !== 'exception') this.remark(long);
		else if (result.note) this.remark(result.note);
		this.close(kind, short, used(result));
	}

	/** It could not run, or nobody knows how it ended. */
	fail(text: string): void {
		this.add(element('div', { class: 'remark' }, text));
		this.close('bad', 'not finished', '');
	}

	private close(kind: string, short: string, more: string): void {
		this.flush();
		this.root.classList.add(`is-${kind}`);
		if (!this.body.hasChildNodes()) this.body.append(element('div', { class: 'nothing' }, 'no output'));
		const chip = element('span', { class: `chip ${kind}` }, icon(kind === 'good' ? 'ok' : kind === 'bad' ? 'bad' : 'stop'), short);
		this.end.replaceChildren(chip, element('span', { class: 'used' }, more));
	}

	/** The beginning of what was printed, for a screen reader. */
	beginning(): string {
		return this.seen.trim().slice(0, 200);
	}
}
