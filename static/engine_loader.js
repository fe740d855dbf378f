// Entry point of the engine's worker: loads the engine's program and reports the progress to the page.

// Size of the program, written by `cargo xtask`: `count` counts unpacked bytes, and headers contain only the packed
// length.
const unpackedBytes = 0;

// Posts `[received, total, sent]`: unpacked bytes so far, unpacked bytes in all, and packed length; zero if unknown.
// The engine's own messages are typed arrays, so the page can distinguish them from these.
async function count(response) {
  const sent = Number(response.headers.get("Content-Length"));
  const total = unpackedBytes || (response.headers.has("Content-Encoding") ? 0 : sent);
  let received = 0;
  let reported = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    received += value?.byteLength ?? 0;
    // At most once per percent: the visitor could not see more.
    if (done || received - reported > total / 100) {
      postMessage([received, done ? received : total, sent]);
      reported = received;
    }
    if (done) return;
  }
}

const engine = import("./engine.js");
const program = await fetch(new URL("./engine_bg.wasm", import.meta.url));
// Errors of the download are reported by `init`, which reads the program.
if (program.ok) count(program.clone()).catch(() => {});
const { default: init } = await engine;
await init({ module_or_path: program });
