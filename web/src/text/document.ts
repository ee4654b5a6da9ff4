// document.ts - what is in the editor: its name, where it came from, whether it is saved. Its
// draft is kept in the browser a moment after each change.
import { byId } from '../dom.ts';
import { notice, say } from '../look/announce.ts';
import { ask, askText, button, confirm } from '../look/dialog.ts';
import { call, escapePath, explain, request } from '../server/api.ts';
import { idInAddress, needSession, onSession, session, sessionPath } from '../server/session.ts';
import type { SavedFile } from '../server/types.ts';
import { emptyDraft, keepDraft, takeDraft } from './drafts.ts';
import type { Draft } from './drafts.ts';
import { Editor } from './editor.ts';
import type { Position } from './editor.ts';

const KEEP_AFTER_MS = 150;

const WELCOME = `# Write Python here. Ctrl+Enter runs it.
name = "world"
print(f"Hello, {name}!")
`;

export let editor: Editor;
let draft: Draft = emptyDraft();
let timer = 0;
let warned = false;
const savedListeners: (() => void)[] = [];

/** Call this when a file was saved, or deleted. */
export function onSaved(listener: () => void): void {
	savedListeners.push(listener);
}

const fileSaved = () => savedListeners.forEach((listener) => listener());

export function documentName(): string {
	return draft.origin?.name ?? 'untitled';
}

export function isUnsaved(): boolean {
	return editor.text !== draft.savedText;
}

/** The tests that go with the text. Whoever changes them calls changed(). */
export function tests(): Draft['tests'] {
	return draft.tests;
}

function keepNow(): void {
	clearTimeout(timer);
	timer = 0;
	draft.text = editor.text;
	const kept = keepDraft(draft);
	if (!kept && !warned) notice('This browser has no room to keep a draft of this text: save it to be safe.');
	warned = !kept;
}

/** The text, its origin or its tests have changed. */
export function changed(): void {
	timer ||= window.setTimeout(keepNow, KEEP_AFTER_MS);
	showName();
}

function showName(): void {
	const unsaved = isUnsaved();
	byId('doc-name').textContent = documentName();
	byId('doc-state').textContent = unsaved ? '● unsaved' : draft.origin ? 'saved' : '';
	byId('doc-state').className = `doc-state ${unsaved ? 'unsaved' : ''}`;
	byId('doc-state').title =
		draft.origin?.kind === 'workspace' ? 'In the workspace of this session' : unsaved ? 'A draft is kept in this browser' : '';
	document.title = `${unsaved ? '● ' : ''}${documentName()} – Vivarium`;
}

/** May the text be replaced? Asks if something would be out of sight that is saved nowhere. */
async function mayReplace(): Promise<boolean> {
	if (!isUnsaved() || editor.text.trim() === '') return true;
	const answer = await ask(`Save ${documentName()} first?`, ['Its last changes are not saved.'], [
		button('Cancel', ''),
		button('Don’t save', 'drop', 'danger'),
		button('Save', 'save', 'primary'),
	]);
	return answer === 'drop' || (answer === 'save' && (await save()));
}

function become(text: string, origin: Draft['origin'], savedText = text): void {
	draft.origin = origin;
	draft.savedText = savedText;
	editor.open(text);
	changed();
	keepNow();
	editor.focus();
}

export async function newDocument(): Promise<void> {
	if (await mayReplace()) become('', null);
}

/** Open a saved file. */
export async function openSaved(name: string): Promise<void> {
	if (!(await mayReplace())) return;
	try {
		const { code } = await call<{ code: string }>('GET', `/api/load/${encodeURIComponent(name)}`);
		become(code, { kind: 'saved', name });
		say(`Opened ${name}`);
	} catch (error) {
		notice(`${name} could not be opened: ${explain(error)}`);
	}
}

/** Open a file of the session's workspace. */
export async function openWorkspaceFile(path: string): Promise<void> {
	if (!(await mayReplace())) return;
	try {
		const response = await request('GET', sessionPath(`/files/${escapePath(path)}`), { accept: '*/*' });
		const data = new Uint8Array(await response.arrayBuffer());
		const text = new TextDecoder('utf-8', { fatal: true }).decode(data);
		if (text.includes('\0')) throw new TypeError();
		become(text, { kind: 'workspace', name: path });
		say(`Opened ${path}`);
	} catch (error) {
		notice(error instanceof TypeError ? `${path} is not a text; download it instead.` : `${path} could not be opened: ${explain(error)}`);
	}
}

async function store(origin: NonNullable<Draft['origin']>, code: string): Promise<void> {
	if (origin.kind === 'saved') {
		await call('POST', '/api/save', { json: { code, filename: origin.name } });
		return;
	}
	await needSession();
	await request('PUT', sessionPath(`/files/${escapePath(origin.name)}`), {
		body: code,
		headers: { 'Content-Type': 'text/plain; charset=utf-8' },
	});
}

/** Save where it came from; asks for a name if it has none. False if it was not saved. */
export async function save(): Promise<boolean> {
	if (!draft.origin) return saveAs();
	const code = editor.text;
	try {
		await store(draft.origin, code);
	} catch (error) {
		notice(`${draft.origin.name} was not saved: ${explain(error)} The text is kept in this browser.`);
		return false;
	}
	draft.savedText = code;
	changed();
	fileSaved();
	say(`Saved ${draft.origin.name}`);
	return true;
}

function nameFault(name: string): string {
	if (name === '') return 'A name is needed.';
	if (/[/\\]|^\.|\p{Cc}/u.test(name)) return 'A name has no slashes and does not begin with a dot.';
	return new TextEncoder().encode(name).length > 255 ? 'The name is too long.' : '';
}

/** Save under a name that is asked for. */
export async function saveAs(): Promise<boolean> {
	const name = await askText('Save as', 'Name of the file', draft.origin?.kind === 'saved' ? draft.origin.name : 'program.py', 'Save', nameFault);
	if (name === null) return false;
	if (name !== draft.origin?.name && (await exists(name))) {
		const yes = await confirm(`Replace ${name}?`, 'There is a saved file of this name already.', 'Replace', true);
		if (!yes) return false;
	}
	const before = draft.origin;
	draft.origin = { kind: 'saved', name };
	if (await save()) return true;
	draft.origin = before;
	showName();
	return false;
}

async function exists(name: string): Promise<boolean> {
	try {
		const { files } = await call<{ files: SavedFile[] }>('GET', '/api/files');
		return files.some((file) => file.filename === name);
	} catch {
		return false; // saving will say what is wrong
	}
}

/** Delete a saved file, after a question. The text in the editor stays. */
export async function deleteSaved(name: string): Promise<void> {
	if (!(await confirm(`Delete ${name}?`, 'It cannot be brought back.', 'Delete', true))) return;
	try {
		await call('DELETE', `/api/delete/${encodeURIComponent(name)}`);
	} catch (error) {
		notice(`${name} was not deleted: ${explain(error)}`);
	}
	if (draft.origin?.kind === 'saved' && draft.origin.name === name) detach();
	fileSaved();
}

/** A workspace file was renamed, or is gone (null). */
export function workspaceFileMoved(path: string, to: string | null): void {
	if (draft.origin?.kind !== 'workspace' || draft.origin.name !== path) return;
	if (to === null) {
		detach();
	} else {
		draft.origin.name = to;
		changed();
	}
}

/** What the text came from does not exist any more. */
function detach(): void {
	draft.origin = null;
	draft.savedText = '';
	changed();
}

/** A draft of another tab: its text, its origin and its tests. */
export async function openDraft(other: Draft): Promise<boolean> {
	if (!(await mayReplace())) return false;
	draft.tests = other.tests;
	become(other.text, other.origin, other.savedText);
	return true;
}

/** Put a text into the editor as a change that can be undone. */
export function insertText(text: string): void {
	editor.replace(text);
	editor.focus();
}

/** Set up the editor with this tab's draft. True if there was one. */
export async function startDocument(moved: (position: Position, hasSelection: boolean) => void): Promise<boolean> {
	let found = true;
	editor = new Editor(byId('editor'), { changed, moved });
	draft = await takeDraft(idInAddress(), () => {
		found = false;
		return emptyDraft(WELCOME);
	});
	editor.open(draft.text);
	showName();
	onSession(() => {
		const id = session()?.id ?? '';
		// A file of a workspace that is gone is nowhere but in the editor.
		if (draft.session !== id && draft.origin?.kind === 'workspace') detach();
		draft.session = id;
		changed();
	});
	addEventListener('pagehide', keepNow);
	document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && keepNow());
	for (const [id, action] of [
		['doc-new', newDocument],
		['doc-save', save],
		['doc-save-as', saveAs],
	] as const)
		byId(id).addEventListener('click', () => void action());
	return found;
}

/** The session that the draft was used with, if the address names none. */
export function draftSession(): string {
	return draft.session;
}

/** Is there nothing in the editor but what a first visit finds? */
export function isUntouched(): boolean {
	return editor.text === WELCOME || editor.text.trim() === '';
}
