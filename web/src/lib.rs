//! Bastion's page: what runs on the browser's main thread, and what it has in common with the engine.
//!
//! - [`app`] is the view, and nothing that computes.
//! - [`protocol`] is what page and engine say to each other, and all that both know.
//! - [`scores`] is what the networks scored, grouped, put into words and drawn as HTML; the engine calls it, and it is tested
//!   natively too.
//! - [`state`] is all that the view shows, changed by a reducer that knows no browser and is tested natively.
//! - [`text`] puts numbers into words.
//! - [`pictures`] and [`lines`] compute what is drawn: changes of pictures, and small charts.
//! - [`json`] writes the report of a run.
//! - [`js`] says what JavaScript threw, and [`wire`] is how messages travel; the engine uses both too.
//!
//! The engine, a Web Worker that owns the device and the two networks, is the program `engine` in `src/engine/`. Only it links
//! `shared` and burn; this library must name neither, or the page would load megabytes before it shows anything.
//!
//! # What a browser test can hold on to
//!
//! Elements carry `data-testid`, and `data-state` where there is something to wait for. `M` is `left` or `right`.
//!
//! | `data-testid` | what it is |
//! |---|---|
//! | `engine-status` | `data-state`: `starting`, `opening-device`, `asking`, `downloading`, `self-testing`, `ready`, `failed`; `data-work`: `idle`, `opening`, `classifying`, `attacking`, `sweeping`; `data-weights`: `network` or `cache`, from where the weights came, once ready |
//! | `engine-error`, `engine-retry` | why the engine or the networks failed, while they have; tries again, where that may help |
//! | `backend-badge` | `data-backend`: `cpu`, `webgpu` or empty; `data-software`: `true`, `false`; `data-fallback`: `true` after WebGPU failed |
//! | `backend-reason` | why this backend, in a sentence |
//! | `backend-select` | a select: `auto`, `webgpu`, `cpu`; `?backend=` in the address does the same |
//! | `adapter`, `timing` | what it computes on; milliseconds of a forward pass and of an attack step; there once ready |
//! | `progress-M` | the download; `data-received`, `data-total` in bytes; there until the engine is ready |
//! | `progress-engine` | that of the engine's program, in bytes as they are sent; 0 where nobody knows |
//! | `alert`, `alert-dismiss` | the last thing that went wrong; there only while there is one |
//! | `samples`, `sample-N` | the gallery and its pictures, from 0; `aria-pressed` on the chosen one |
//! | `file-input`, `camera-open`, `camera-take`, `camera-close` | other ways to a picture |
//! | `link-input`, `link-open`, `link-status`, `link-stop` | a link to a picture; what is being fetched, else empty, and a button that ends it, there only then |
//! | `picture-private` | that pictures stay on the device |
//! | `crop-box`, `crop-top-left` and so on | the square that the networks are to see, over the picture, and its corners; there only where there is something to choose |
//! | `crop-now`, `crop-reset` | the square that they see now, `data-x`, `data-y`, `data-side` in pixels of the upright picture; back to the middle |
//! | `picture` | `data-picture`: counts the pictures opened so far, on this page; 0 before the first; `data-picture-title`: the title of the one that is shown, for a sample the `title` of its button; `data-pending`: `true` while another one is on its way |
//! | `input-canvas` | what the networks see, 64x64 |
//! | `attack-kind-K`, `attack-words` | radio: `fgsm`, `bim`, `pgd`, `noise`; what it does |
//! | `epsilon`, `steps` | range inputs; epsilon in 255ths, 0 to 32 |
//! | `target-class`, `target-search`, `target-found` | select: empty for untargeted, else the index of the class; what leaves only some of them, and how many |
//! | `crafted-on` | select: empty for white-box, else `left` or `right`, whose gradients both are attacked with |
//! | `step-size`, `step-size-auto`, `stop-at-success`, `another-start` | range in tenths of a 255th; back to the usual; checkbox; another seed |
//! | `disturb`, `disturb-X`, `corruption`, `disturb-reset` | what disturbs the picture; `data-disturbed`; ranges and checkboxes; select by the benchmark's names; nothing any more |
//! | `scrubber`, `step-M`, `loss-plot`, `share-plot` | range: the step that both columns show, 0 where the attack began; what it came to; `data-points` |
//! | `sweep-button`, `sweep-cancel`, `swept-with`, `smallest-M`, `epsilon-share-plot`, `epsilon-loss-plot` | the curves against epsilon; `data-epsilon` in 255ths, or `none` |
//! | `gain`, `gain-auto`, `drawing-channels`, `drawing-signed` | how the perturbation is drawn |
//! | `compare-M`, `stack-M`, `wipe-M`, `wipe-before-M`, `wipe-after-M`, `flicker-M` | before and after on one spot; `data-flickers` |
//! | `save-M`, `saved-M`, `copy-link`, `copy-picture`, `save-report`, `keep-said` | what to keep, and what came of it |
//! | `attack-button`, `cancel-button` | start, stop |
//! | `network-M` | select: the networks by their folders; only where there are more than two |
//! | `pending-M` | what is to be said of a network that was chosen and is not there yet; `data-state`: `asking`, `loading`, `failed`, `unfit`; there only then |
//! | `go-on-M`, `stay-M`, `pending-progress-M` | downloads it or tries again; stays with the other one or cancels; the download |
//! | `unusable` | list of the networks that cannot be chosen; items have `data-folder` |
//! | `title-M` | what the column's network is called |
//! | `column-M` | `data-network`: its folder; `data-state`: `empty`, `classifying`, `clean`, `attacking`, `stopped`, `done`; `data-steps-done`, `data-steps-total`; `data-run`: counts the attacks begun; ready for the next one when `engine-status` says `idle` |
//! | `clean-canvas-M`, `attacked-canvas-M`, `perturbation-canvas-M` | 64x64; the pixels shown are the pixels scored |
//! | `clean-top5-M`, `attacked-top5-M` | ordered lists; each item has `data-class` (index) and `data-share` (0 to 1); `data-role`: `target` for the class aimed at, else `own` for the network's own first answer |
//! | `hint`, `attacked-again` | what the button does; that a changed setting began an attack by itself, else empty |
//! | `verdict-M`, `verdict-words-M` | `data-verdict`: `held`, `fooled`, `wrong-already` where the picture's class is known, `kept`, `changed`, `led` where it is not, `pointless`, or empty; `data-interim`: `true` while it is that of an attack under way or stopped, or of a step before its last; the same in a sentence |
//! | `amplified-M` | what the perturbation's canvas shows |
//! | `target-M` | the class aimed at and its probability; shown only where one was aimed at |
//! | `elapsed-M`, `change-M` | `data-ms`: time for the attack; `data-levels`: largest change of a pixel, in 255ths |
//! | `noise-M` | the control, random noise of the same size; `data-verdict` |
//! | `offline-status` | `data-state`: `kept` once the next visit needs no network, page and networks both, before that `not-kept`; there once the engine is ready |
//! | `free-space`, `space-freed` | removes all that the browser keeps for the page; what came of it, in words |
//! | `scores` | what the networks scored on the validation images |
//! | `scores-headline` | what each network scored without an attack and under the strongest white-box one, if there is one |
//! | `scores-P` | a table; `P` is `no-attack`, `white-box`, `transfer`, `corruptions` |
//! | `scores-top5` | checkbox: the tables show the first five answers as well |
//! | `scores-missing` | that a network has no scores |
//! | `score-curves` | accuracy against epsilon, for attacks that were measured at several |
//! | `card-M` | the network's card |

pub mod app;
pub mod js;
pub mod json;
pub mod lines;
pub mod pictures;
pub mod protocol;
pub mod scores;
pub mod state;
pub mod text;
pub mod wire;
