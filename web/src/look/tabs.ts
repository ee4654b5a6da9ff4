// tabs.ts - the panels beside the editor: one is seen, the arrow keys go through the tabs.
import { byId } from '../dom.ts';

export type Panel = 'output' | 'variables' | 'files' | 'tests' | 'runs';
const PANELS: Panel[] = ['output', 'variables', 'files', 'tests', 'runs'];

let shown: Panel = 'output';
const listeners: ((panel: Panel) => void)[] = [];

/** The panel that is seen. */
export function currentPanel(): Panel {
	return shown;
}

/** Call this whenever a panel comes into view. */
export function onPanel(listener: (panel: Panel) => void): void {
	listeners.push(listener);
}

export function showPanel(panel: Panel, focus = false): void {
	shown = panel;
	for (const name of PANELS) {
		const tab = byId(`tab-${name}`);
		tab.setAttribute('aria-selected', String(name === panel));
		tab.tabIndex = name === panel ? 0 : -1;
		byId(`panel-${name}`).hidden = name !== panel;
	}
	if (focus) byId(`tab-${panel}`).focus();
	for (const listener of listeners) listener(panel);
}

export function startTabs(): void {
	for (const name of PANELS) byId(`tab-${name}`).addEventListener('click', () => showPanel(name));
	byId('tabs').addEventListener('keydown', (event) => {
		const at = PANELS.indexOf(shown);
		const last = PANELS.length - 1;
		const to = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last }[event.key];
		const panel = to === undefined ? undefined : PANELS[to];
		if (!panel) return;
		event.preventDefault();
		showPanel(panel, true);
	});
	showPanel('output');
}
