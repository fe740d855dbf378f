// Entry point of a worker: loads the worker's program and reports the progress to the page. `cargo xtask` writes one such script
// for each program, with its name.

// Size of the program, written by `cargo xtask`: `count` counts unpacked bytes, and headers contain only the packed
// length.
const unpackedBytes = 0;

// Seconds that the server may send nothing.
const patience = 15;

// A lock that is held as long as this worker lives, so that the page learns of its end: a worker that is ended from outside says
// nothing.
const held = new Promise((then) => {
  const hold = () => (then(), new Promise(() => {}));
  (async () => navigator.locks.request(self.name, hold))().catch(then);
});

// Posts `[received, total, sent]`: unpacked bytes so far, unpacked bytes in all, and packed length; zero if unknown.
// The program's own messages are typed arrays, so the page can distinguish them from these.
async function count(response) {
  const sent = Number(response.headers.get("Content-Length"));
  const total = unpackedBytes || (response.headers.has("Content-Encoding") ? 0 : sent);
  let received = 0;
  let reported = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    silent = 0;
    received += value?.byteLength ?? 0;
    // At most once per percent: the visitor could not see more.
    if (done || received - reported > total / 100) {
      postMessage([received, done ? received : total, sent]);
      reported = received;
    }
    if (done) return;
  }
}

// Seconds without a byte; counted, since a machine may sleep meanwhile.
let silent = 0;
let watch;
const silence = new Promise((_, reject) => {
  watch = setInterval(() => {
    silent += 1;
    if (silent === patience) reject(new Error(`the server sent nothing for ${patience} seconds`));
  }, 1000);
});

async function load() {
  // The page waits for this first word, and from then on for the lock.
  held.then(() => postMessage([0, 0, 0]));
  const glue = import("./program.js");
  // Where both fail, the program's failure says more.
  glue.catch(() => {});
  const wasm = await fetch(new URL("./program_bg.wasm", import.meta.url));
  if (!wasm.ok) throw new Error(`the server answered ${wasm.status} for its program`);
  if (wasm.headers.get("Content-Type")?.includes("html")) throw new Error("the server sent a web page in place of its program");
  // Errors of the download are reported by `init`, which reads the program.
  const counted = count(wasm.clone()).catch(() => {});
  const { default: init } = await glue;
  // Compiling takes as long as it takes.
  counted.then(() => clearInterval(watch));
  await init({ module_or_path: wasm });
}

await Promise.race([load(), silence]);
