// first.ts - the chosen colours, set before anything is painted. A file of its own, because
// the page's policy allows no script within the page.
let chosen: string | null = null;
try {
	chosen = localStorage.getItem('vivarium.theme');
} catch {
	// this browser keeps nothing
}
if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
