// files.ts - the Files panel: files that are saved with the service, the files of the
// session's workspace, and drafts that closed tabs left in this browser.
import { byId, element, icon, iconButton } from '../dom.ts';
import { bytes } from '../display/outcome.ts';
import { notice, say } from '../look/announce.ts';
import { askText, confirm } from '../look/dialog.ts';
import { currentPanel, onPanel, showPanel } from '../look/tabs.ts';
import { onFinished } from '../run/runner.ts';
import { call, escapePath, explain, request } from '../server/api.ts';
import { needSession, onSession, session, sessionPath } from '../server/session.ts';
import type { SavedFile, WorkspaceFile } from '../server/types.ts';
import { deleteSaved, documentName, onSaved, openDraft, openSaved, openWorkspaceFile, workspaceFileMoved } from '../text/document.ts';
import { forgetDraft, otherDrafts } from '../text/drafts.ts';

const saved = element('ul', { class: 'files', 'aria-label': 'Saved files' });
const workspace = element('ul', { class: 'files', 'aria-label': 'Workspace files' });
const drafts = element('ul', { class: 'files', 'aria-label': 'Drafts' });
const draftsPart = element('section', { hidden: true });
const where = element('span', { class: 'where' });
const picker = element('input', { type: 'file', multiple: true, hidden: true });
const archive = element('a', { class: 'button', download: 'workspace.tar', hidden: true }, icon('download'), 'All as .tar');

let folder = '';

function empty(text: string): HTMLElement {
	return element('li', { class: 'none' }, text);
}

function when(time: string | number): string {
	const date = new Date(time);
	const today = date.toDateString() === new Date().toDateString();
	return today
		? date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
		: date.toLocaleDateString([], { day: 'numeric', month: 'short' });
}

function line(open: HTMLElement, about: string, ...actions: HTMLElement[]): HTMLElement {
	return element('li', {}, open, element('span', { class: 'about' }, about), element('span', { class: 'acts' }, ...actions));
}

function opener(name: string, shape: string, onclick: () => void): HTMLElement {
	return element('button', { type: 'button', class: 'name', onclick }, icon(shape), element('span', {}, name));
}

// ---- saved files --------------------------------------------------------------------------------

async function loadSaved(): Promise<void> {
	try {
		const { files } = await call<{ files: SavedFile[] }>('GET', '/api/files');
		const rows = files.map(({ filename, size, modified }) => {
			const row = line(
				opener(filename, 'file', () => void openSaved(filename)),
				`${bytes(size)} · ${when(modified)}`,
				iconButton('delete', `Delete ${filename}`, () => void deleteSaved(filename)),
			);
			if (filename === documentName()) row.classList.add('current');
			return row;
		});
		saved.replaceChildren(...(rows.length ? rows : [empty('Nothing is saved yet. “Save as” puts the text here.')]));
	} catch (error) {
		saved.replaceChildren(empty(explain(error)));
	}
}

// ---- the workspace --------------------------------------------------------------------------------

const join = (name: string) => (folder ? `${folder}/${name}` : name);
const fileAddress = (path: string) => sessionPath(`/files/${escapePath(path)}`);

function enter(path: string): void {
	folder = path;
	void loadWorkspace();
}

async function rename(path: string): Promise<void> {
	const to = await askText('Rename', 'New name', path, 'Rename', (text) =>
		text === '' ? 'A name is needed.' : /^\/|(^|\/)\.\.?(\/|$)/.test(text) ? 'The name must stay within the workspace.' : '',
	);
	if (to === null || to === path) return;
	try {
		await call('POST', sessionPath('/files/rename'), { json: { from: path, to } });
		workspaceFileMoved(path, to);
		say(`Renamed to ${to}`);
	} catch (error) {
		notice(`${path} was not renamed: ${explain(error)}`);
	}
	await loadWorkspace();
}

async function remove(path: string): Promise<void> {
	if (!(await confirm(`Delete ${path}?`, 'It cannot be brought back.', 'Delete', true))) return;
	try {
		await request('DELETE', fileAddress(path));
		workspaceFileMoved(path, null);
		say(`Deleted ${path}`);
	} catch (error) {
		notice(`${path} was not deleted: ${explain(error)}`);
	}
	await loadWorkspace();
}

function workspaceRow({ path, type, size, modified }: WorkspaceFile): HTMLElement {
	const name = path.slice(path.lastIndexOf('/') + 1);
	const full = join(name);
	const actions = [
		iconButton('rename', `Rename ${name}`, () => void rename(full)),
		iconButton('delete', `Delete ${name}`, () => void remove(full)),
	];
	if (type === 'directory') return line(opener(name, 'folder', () => enter(full)), 'folder', ...actions);
	const download = element(
		'a',
		{ class: 'button icon', href: fileAddress(full), download: name, 'aria-label': `Download ${name}`, title: `Download ${name}` },
		icon('download'),
	);
	return line(opener(name, 'file', () => void openWorkspaceFile(full)), `${bytes(size)} · ${when(modified)}`, download, ...actions);
}

/** Where in the workspace the list is, with a way up. */
function showWhere(): void {
	where.replaceChildren();
	if (!folder) return;
	const parts = folder.split('/');
	where.append(element('button', { type: 'button', class: 'crumb', onclick: () => enter('') }, 'workspace'));
	parts.forEach((part, at) => {
		where.append(' / ', element('button', { type: 'button', class: 'crumb', onclick: () => enter(parts.slice(0, at + 1).join('/')) }, part));
	});
}

async function loadWorkspace(): Promise<void> {
	showWhere();
	archive.hidden = !session();
	if (!session()) {
		workspace.replaceChildren(empty('Files that a program writes appear here. Drop files to upload them.'));
		return;
	}
	archive.href = sessionPath('/files.tar');
	try {
		const { files } = await call<{ files: WorkspaceFile[] }>('GET', sessionPath(`/files?path=${encodeURIComponent(folder)}`));
		const order = (file: WorkspaceFile) => (file.type === 'directory' ? '0' : '1') + file.path;
		const rows = [...files].sort((a, b) => (order(a) < order(b) ? -1 : 1)).map(workspaceRow);
		workspace.replaceChildren(...(rows.length ? rows : [empty('This folder is empty. Drop files to upload them.')]));
	} catch (error) {
		if (folder) return enter(''); // the folder is gone
		workspace.replaceChildren(empty(explain(error)));
	}
}

async function upload(files: Iterable<File>): Promise<void> {
	const failed: string[] = [];
	const done: string[] = [];
	try {
		await needSession();
	} catch (error) {
		notice(explain(error));
		return;
	}
	for (const file of files) {
		try {
			await request('PUT', fileAddress(join(file.name)), {
				body: file,
				headers: { 'Content-Type': file.type || 'application/octet-stream' },
			});
			done.push(file.name);
		} catch (error) {
			failed.push(`${file.name} was not uploaded: ${explain(error)}`);
		}
	}
	if (failed.length) notice(failed.join(' '));
	if (done.length) say(`Uploaded ${done.join(', ')}`);
	await loadWorkspace();
}

/** Files may be dropped anywhere on the page; only files, so that text can still be dragged
 *  into the editor. */
function startDropping(): void {
	const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
	const glow = (on: boolean) => document.body.classList.toggle('dropping', on);
	addEventListener('dragover', (event) => {
		if (!holdsFiles(event)) return;
		event.preventDefault();
		glow(true);
	}, true);
	addEventListener('dragleave', (event) => event.relatedTarget === null && glow(false), true);
	addEventListener('drop', (event) => {
		glow(false);
		if (!holdsFiles(event)) return;
		event.preventDefault();
		event.stopPropagation();
		showPanel('files');
		void upload([...(event.dataTransfer?.files ?? [])]);
	}, true);
}

// ---- drafts ----------------------------------------------------------------------------------------

async function loadDrafts(): Promise<void> {
	const found = await otherDrafts();
	draftsPart.hidden = found.length === 0;
	drafts.replaceChildren(
		...found.map(({ id, draft }) => {
			const first = draft.text.split('\n').find((each) => each.trim()) ?? '';
			const open = async () => {
				if (!(await openDraft(draft))) return;
				forgetDraft(id);
				await loadDrafts();
			};
			const remove = async () => {
				if (!(await confirm('Delete this draft?', first, 'Delete', true))) return;
				forgetDraft(id);
				await loadDrafts();
			};
			return line(
				opener(draft.origin?.name ?? first.slice(0, 60), 'file', () => void open()),
				when(draft.updated),
				iconButton('delete', 'Delete this draft', () => void remove()),
			);
		}),
	);
}

// ---- the panel -----------------------------------------------------------------------------------

async function load(): Promise<void> {
	await Promise.all([loadSaved(), loadWorkspace(), loadDrafts()]);
}

export function startFiles(): void {
	const choose = element('button', { type: 'button', onclick: () => picker.click() }, icon('add'), 'Upload');
	picker.addEventListener('change', () => {
		void upload([...(picker.files ?? [])]);
		picker.value = '';
	});
	draftsPart.append(
		element('header', {}, element('h3', {}, 'Drafts'), element('span', { class: 'hint' }, 'of closed tabs, in this browser')),
		drafts,
	);
	byId('panel-files').append(
		element(
			'div',
			{ class: 'scroll' },
			element('section', {}, element('header', {}, element('h3', {}, 'Saved'), element('span', { class: 'hint' }, 'kept by the service, for everybody who uses it')), saved),
			element(
				'section',
				{},
				element('header', {}, element('h3', {}, 'Workspace'), element('span', { class: 'hint' }, 'of this session, gone with it'), element('span', { class: 'space' }), archive, choose, picker),
				where,
				workspace,
			),
			draftsPart,
		),
	);
	const seen = () => currentPanel() === 'files';
	onPanel(() => seen() && void load());
	onSaved(() => seen() && void loadSaved());
	onFinished(() => seen() && void loadWorkspace());
	onSession(() => {
		if (!session()) folder = '';
		if (seen()) void loadWorkspace();
	});
	byId('doc-open').addEventListener('click', () => showPanel('files', true));
	startDropping();
}
