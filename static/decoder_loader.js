// Entry point of the decoder's worker: loads the decoder's program.

import init from "./decoder.js";

// An error of a task, unlike that of a promise, reaches the page.
init({ module_or_path: new URL("./decoder_bg.wasm", import.meta.url) }).catch((error) => setTimeout(() => { throw error; }));
