// dom.ts - making elements. Text always becomes a text node: nothing in this page parses
// markup, with the one exception that display/markup.ts explains.

type Child = Node | string | null | false;
type Properties = { [name: string]: unknown };

/** Make an element. Of the properties, `class`, `aria-*`, `data-*`, `role` and `for` are set as
 *  attributes, functions are event listeners by their name (`onclick`), all others are the
 *  element's own. Children that are null or false are left out. */
export function element<Name extends keyof HTMLElementTagNameMap>(
	name: Name,
	properties: Properties = {},
	...children: Child[]
): HTMLElementTagNameMap[Name] {
	const made = document.createElement(name);
	for (const [key, value] of Object.entries(properties)) {
		if (value === undefined || value === null) continue;
		if (typeof value === 'function')
			made.addEventListener(key.slice(2), value as EventListener);
		else if (key === 'class' || key === 'role' || key === 'for' || key.includes('-'))
			made.setAttribute(key, String(value));
		else (made as unknown as Properties)[key] = value;
	}
	for (const child of children) if (child !== null && child !== false) made.append(child);
	return made;
}

/** One of the icons that index.html holds. */
export function icon(name: string): SVGSVGElement {
	const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
	const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
	use.setAttribute('href', `#i-${name}`);
	svg.setAttribute('aria-hidden', 'true');
	svg.append(use);
	return svg;
}

/** A button that shows only an icon; its label is read out, and shown by the pointer. */
export function iconButton(name: string, label: string, onclick: () => void): HTMLButtonElement {
	return element('button', { type: 'button', class: 'icon', 'aria-label': label, title: label, onclick }, icon(name));
}

/** An element of index.html. */
export function byId<Type extends HTMLElement = HTMLElement>(id: string): Type {
	const found = document.getElementById(id);
	if (!found) throw new Error(`the page has no element ${id}`);
	return found as Type;
}

/** Is this a machine whose shortcuts are made with the Command key? */
export const onMac = /Mac|iPhone|iPad/.test(navigator.platform);

/** A shortcut as this machine's keyboard names it: "Ctrl Enter" or "⌘ Enter". */
export function shortcut(keys: string): string {
	return onMac ? keys.replace('Ctrl', '⌘').replace('Shift', '⇧').replace('Alt', '⌥') : keys;
}
