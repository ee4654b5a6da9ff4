// rich.ts - what a program displays: the best of the forms in which it offers it.
import { element, icon } from '../dom.ts';
import type { Display } from '../server/types.ts';
import { markup } from './markup.ts';

/** Best first. A picture is only ever shown as a picture: an SVG in an <img> runs nothing and
 *  loads nothing. */
const PICTURES = ['image/svg+xml', 'image/png', 'image/jpeg', 'image/gif', 'image/webp'];

/** Notebooks write a text as one string or as a list of lines. */
function textOf(value: unknown): string {
	if (Array.isArray(value)) return value.join('');
	return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}

/** The address of a picture: base64 as it came, or an SVG's text. */
function pictureAddress(type: string, value: string): string | null {
	if (type === 'image/svg+xml' && value.trimStart().startsWith('<'))
		return `data:${type};charset=utf-8,${encodeURIComponent(value)}`;
	const data = value.replace(/\s/g, '');
	return /^[A-Za-z0-9+/]+=*$/.test(data) ? `data:${type};base64,${data}` : null;
}

function picture(type: string, value: string, plain: string, name: string): HTMLElement | null {
	const address = pictureAddress(type, value);
	if (!address) return null;
	const extension = type.replace(/^image\/|\+xml$/g, '');
	const image = element('img', { src: address, alt: plain || name });
	const save = element(
		'a',
		{ class: 'button icon', href: address, download: `${name}.${extension}`, 'aria-label': `Download ${name}`, title: 'Download' },
		icon('download'),
	);
	return element('figure', { class: 'picture' }, image, save);
}

/** Something displayed, as an element. `name` is what a picture is called. */
export function displayView({ data }: Display, name: string): HTMLElement {
	const plain = data['text/plain'] === undefined ? '' : textOf(data['text/plain']);
	for (const type of PICTURES) {
		const shown = data[type] === undefined ? null : picture(type, textOf(data[type]), plain, name);
		if (shown) return shown;
	}
	if (data['text/html'] !== undefined) return markup(textOf(data['text/html']));
	const type = ['text/markdown', 'text/latex', 'text/plain', 'application/json'].find((each) => data[each] !== undefined);
	const text = type ? textOf(data[type]) : `(a display of ${Object.keys(data).join(', ') || 'nothing'})`;
	return element('pre', { class: 'display' }, text);
}
