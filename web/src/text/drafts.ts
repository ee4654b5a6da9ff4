// drafts.ts - the text of each tab, kept in this browser so that it outlives a reload, a
// crash and a restart of the service.
//
// A tab has a number of its own (in sessionStorage, which a reload and a restored tab keep),
// and one draft under it. Tabs ask each other who is there: a new tab takes up the newest
// draft that no living tab has, and a duplicated tab notices that its number is taken.
import { forget, keep, keysWith, recall } from '../store.ts';

export interface Case {
	input: string;
	expected: string;
}

export interface Draft {
	text: string;
	/** Where it was opened from or saved to; null: nowhere yet. */
	origin: { kind: 'saved' | 'workspace'; name: string } | null;
	/** The text as it is there. */
	savedText: string;
	session: string;
	tests: { kind: 'call' | 'print'; entry: string; cases: Case[] };
	updated: number;
}

const PREFIX = 'vivarium.draft.';
const DRAFTS_MOST = 30;
const ANSWER_MS = 80; // how long living tabs have to say that they live

export const emptyDraft = (text = ''): Draft => ({
	text,
	origin: null,
	savedText: text,
	session: '',
	tests: { kind: 'call', entry: '', cases: [] },
	updated: Date.now(),
});

let tab = '';
let channel: BroadcastChannel | null = null;

function newTab(): string {
	const numbers = crypto.getRandomValues(new Uint32Array(3));
	return Array.from(numbers, (number) => number.toString(36)).join('');
}

function setTab(id: string): void {
	tab = id;
	try {
		sessionStorage.setItem('vivarium.tab', id);
	} catch {
		// then a reload makes a new tab, which takes the draft up
	}
}

function tabBefore(): string {
	try {
		return sessionStorage.getItem('vivarium.tab') ?? '';
	} catch {
		return '';
	}
}

function read(id: string): Draft | null {
	try {
		const draft = JSON.parse(recall(PREFIX + id) ?? 'null') as Draft | null;
		return draft && typeof draft.text === 'string' ? { ...emptyDraft(), ...draft } : null;
	} catch {
		return null;
	}
}

interface Stored {
	id: string;
	draft: Draft;
}

/** All drafts, the newest first. */
function all(): Stored[] {
	const found: Stored[] = [];
	for (const key of keysWith(PREFIX)) {
		const id = key.slice(PREFIX.length);
		const draft = read(id);
		if (draft) found.push({ id, draft });
		else forget(key);
	}
	return found.sort((a, b) => b.draft.updated - a.draft.updated);
}

/** The drafts of the tabs that live now, this one's not among them. */
async function livingTabs(): Promise<Set<string>> {
	const living = new Set<string>();
	if (!channel) return living;
	const listen = (event: MessageEvent) => {
		if (event.data?.kind === 'here') living.add(String(event.data.tab));
	};
	channel.addEventListener('message', listen);
	channel.postMessage({ kind: 'who' });
	await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
	channel.removeEventListener('message', listen);
	return living;
}

function startChannel(): void {
	if (typeof BroadcastChannel === 'undefined') return;
	channel = new BroadcastChannel('vivarium.tabs');
	channel.addEventListener('message', (event) => {
		if (event.data?.kind === 'who' && tab) channel?.postMessage({ kind: 'here', tab });
	});
}

/** The draft that this tab goes on with: its own, or the newest that no living tab has (of
 *  this session, if the address names one), or a fresh one. */
export async function takeDraft(session: string, fresh: () => Draft): Promise<Draft> {
	const before = tabBefore();
	const own = before ? read(before) : null;
	startChannel();
	if (own) {
		setTab(before);
		livingTabs().then((living) => {
			if (!living.has(before)) return;
			setTab(newTab()); // this tab is a duplicate: from here on it has a draft of its own
			keepDraft(own);
		});
		return own;
	}
	const stored = all();
	const living = stored.length ? await livingTabs() : new Set<string>();
	setTab(newTab());
	for (const { id } of stored.slice(DRAFTS_MOST)) if (!living.has(id)) forget(PREFIX + id);
	const orphan = stored.find(({ id, draft }) => !living.has(id) && (!session || draft.session === session));
	if (!orphan) return fresh();
	forget(PREFIX + orphan.id);
	keepDraft(orphan.draft);
	return orphan.draft;
}

/** Keep this tab's draft. False if the browser has no room for it. */
export function keepDraft(draft: Draft): boolean {
	draft.updated = Date.now();
	return keep(PREFIX + tab, JSON.stringify(draft));
}

/** Drafts of tabs that are closed. */
export async function otherDrafts(): Promise<Stored[]> {
	const living = await livingTabs();
	return all().filter(({ id, draft }) => id !== tab && !living.has(id) && draft.text.trim() !== '');
}

export function forgetDraft(id: string): void {
	forget(PREFIX + id);
}
