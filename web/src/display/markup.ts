// markup.ts - HTML that a program displays (a table of pandas, say), without trusting it.
//
// The HTML is parsed into a document that is attached nowhere: in it no script runs and
// nothing is loaded. From what it holds, a new tree is made of the elements in this list, with
// the attributes in this list, and text. So nothing of the program's HTML gets into the page:
// no script, style, link, form, frame, address or handler, whatever the parser makes of it.
// (A sandboxed frame would be the other way. It would get the page's policy, which forbids
// the inline styles that such HTML is full of, could not be as high as what it holds, and
// would not have the page's colours or font.)

const KEEP = new Set(
	('A ABBR B BLOCKQUOTE BR CAPTION CODE COL COLGROUP DD DEL DETAILS DFN DIV DL DT EM FIGCAPTION FIGURE H1 H2 H3 H4 H5 H6 ' +
		'HR I IMG INS KBD LI MARK OL P PRE Q S SAMP SMALL SPAN STRONG SUB SUMMARY SUP TABLE TBODY TD TFOOT TH THEAD TR TT U UL VAR').split(' '),
);
/** With all that they hold; of other elements that are not kept, the contents are. */
const SKIP = new Set('SCRIPT STYLE TEMPLATE NOSCRIPT IFRAME OBJECT EMBED SVG MATH HEAD TITLE SELECT TEXTAREA AUDIO VIDEO CANVAS'.split(' '));
const COUNTS = ['colspan', 'rowspan', 'span', 'start', 'value'];
const PICTURE = /^data:image\/(png|jpeg|gif|webp|svg\+xml)[;,]/i;
const NODES_MOST = 50_000;
const DEPTH_MOST = 60;

// Where the browser has trusted types, the page's policy allows this one and no other; what
// it lets through goes to the parser below and nowhere else.
interface Policy { createHTML(text: string): string }
interface Policies { createPolicy(name: string, rules: Policy): Policy }
const policies = (globalThis as { trustedTypes?: Policies }).trustedTypes;
const unattached = policies?.createPolicy('unattached', { createHTML: (text) => text });

/** The element that stands for this one, still empty; null if its contents stand for it. */
function standIn(from: Element): HTMLElement | null {
	if (!KEEP.has(from.tagName) || !(from instanceof HTMLElement)) return null;
	const made = document.createElement(from.tagName === 'A' ? 'span' : from.tagName);
	if (made instanceof HTMLImageElement) {
		const source = from.getAttribute('src') ?? '';
		if (!PICTURE.test(source)) return null;
		made.src = source;
	}
	for (const name of COUNTS) {
		const value = from.getAttribute(name);
		if (value && /^\d{1,4}$/.test(value)) made.setAttribute(name, value);
	}
	for (const name of ['alt', 'title', 'scope']) {
		const value = from.getAttribute(name);
		if (value) made.setAttribute(name, value.slice(0, 500));
	}
	return made;
}

/** Without the styles and handlers that it would lose anyway. This is no wall: it only keeps the
 *  browser from reporting each of them as a breach of the page's policy. */
function quiet(html: string): string {
	return html
		.replace(/<style[\s\S]*?<\/style\s*>/gi, '')
		.replace(/<[a-z][^<>]*>/gi, (tag) => tag.replace(/\s(style|on[a-z]+)\s*=/gi, ' data-dropped='));
}

/** The HTML as elements that may be shown. */
export function markup(html: string): HTMLElement {
	const text = quiet(html);
	const parsed = new DOMParser().parseFromString((unattached?.createHTML(text) ?? text) as string, 'text/html');
	const root = document.createElement('div');
	root.className = 'markup';
	let left = NODES_MOST;
	const copy = (from: Node, to: HTMLElement, depth: number): void => {
		for (const child of from.childNodes) {
			if (--left < 0) return;
			if (child instanceof Text) {
				to.append(child.data);
			} else if (child instanceof Element && !SKIP.has(child.tagName.toUpperCase())) {
				const into = depth < DEPTH_MOST ? standIn(child) : null;
				if (into) to.append(into);
				if (depth < 4 * DEPTH_MOST) copy(child, into ?? to, depth + 1);
			}
		}
	};
	copy(parsed.body, root, 0);
	return root;
}
