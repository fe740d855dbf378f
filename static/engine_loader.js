// The engine's worker begins here: loads its program, and tells the page how far that is.
// Written by `cargo xtask`: what is counted below is unpacked, and the headers know no more than the packed length.
const unpackedBytes = 0;

// Posts `[received, total, sent]`: bytes that are here and bytes there will be, unpacked, and the length of what is sent for
// them; a zero is one that nobody knows. The page tells them from the engine's messages, which are typed arrays.
async function count(response) {
  const sent = Number(response.headers.get("Content-Length"));
  const total = unpackedBytes || (response.headers.has("Content-Encoding") ? 0 : sent);
  let received = 0;
  let told = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    received += value?.byteLength ?? 0;
    // Not more often than anybody sees.
    if (done || received - told > total / 100) {
      postMessage([received, done ? received : total, sent]);
      told = received;
    }
    if (done) return;
  }
}

const engine = import("./engine.js");
const program = await fetch(new URL("./engine_bg.wasm", import.meta.url));
// Whatever is wrong is for those to say who need the program.
if (program.ok) count(program.clone()).catch(() => {});
const { default: init } = await engine;
await init({ module_or_path: program });
