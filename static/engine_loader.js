// The engine's worker begins here: loads the program that Trunk made, in the version that the page asked for (`?v=`).
// Trunk's own loader leaves that out.
const { search } = new URL(import.meta.url);
const { default: init } = await import(`./engine.js${search}`);
await init({ module_or_path: new URL(`./engine_bg.wasm${search}`, import.meta.url) });
