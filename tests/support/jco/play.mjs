// Plays components for the tests: node play.mjs HOME, where HOME/node_modules holds jco's transpiler.
//
// Requests come on stdin, replies go to stdout; each is a line of JSON and then the bytes it announces in `sizes`.
//   load: a slot, its components in order of instantiation (`uses`: whose exports are its imports)
//   flow: a slot that was loaded with `apart`, and a flow for flow.mjs; the reply has the events of a new instance
//   run:  a slot, the export to call, and the guests with their images; the reply has their memories, or the error
// After an error in `run`, the slot's components are instantiated anew for the next call.

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { flow } from "./flow.mjs";

const require = createRequire(join(process.argv[2], "play.js"));
const { $init, generate } = await import(pathToFileURL(require.resolve("@bytecodealliance/jco-transpile/component")));
await $init;

// What the jco command would give the transpiler, with an `instantiate` function to call.
const OPTIONS = {
  name: "played",
  instantiation: { tag: "sync" },
  map: [],
  base64Cutoff: 0,
  multiMemory: true,
  noTypescript: true,
  noNodejsCompat: true,
  noComponentErrorWrapping: true,
};

// jco also rejects a promise of its own for what it throws, and awaits it nowhere.
process.on("unhandledRejection", () => {});

// Handles that the host forgets are not dropped: when the garbage collector runs is no part of a flow.
globalThis.FinalizationRegistry = class {
  register() {}
  unregister() {}
};

const slots = new Map();
const input = process.stdin[Symbol.asyncIterator]();
let unread = Buffer.alloc(0);

async function read(enough) {
  for (let end = enough(unread); ; end = enough(unread)) {
    if (end >= 0) {
      const found = unread.subarray(0, end);
      unread = unread.subarray(end);
      return found;
    }
    const { done, value } = await input.next();
    if (done) process.exit(0);
    unread = Buffer.concat([unread, value]);
  }
}

async function receive() {
  const request = JSON.parse(await read((bytes) => bytes.indexOf(10) + 1 || -1));
  request.blobs = [];
  for (const size of request.sizes) request.blobs.push(await read((bytes) => (bytes.length < size ? -1 : size)));
  return request;
}

function send(reply, blobs = []) {
  const header = JSON.stringify({ ...reply, sizes: blobs.map((blob) => blob.length) }) + "\n";
  return new Promise((sent) => process.stdout.write(Buffer.concat([Buffer.from(header), ...blobs]), sent));
}

async function transpiled(bytes, part) {
  const files = new Map(generate(bytes, OPTIONS).files);
  const source = Buffer.concat([files.get("played.js"), Buffer.from("\n//# sourceURL=played.js\n")]);
  const { instantiate } = await import(`data:text/javascript;base64,${source.toString("base64")}`);
  const modules = new Map();
  for (const [name, file] of files) {
    if (name.endsWith(".wasm")) modules.set(name, new WebAssembly.Module(file));
  }
  return { instantiate, modules, uses: part.uses };
}

// The functions of all parts, those of exported interfaces too, by their names.
function instantiated(parts) {
  const instances = [];
  for (const part of parts) {
    const imports = part.uses === null ? {} : instances[part.uses];
    instances.push(part.instantiate((name) => part.modules.get(name), imports));
  }
  const exports = instances.flatMap((instance) => Object.values(instance).filter((item) => typeof item === "object"));
  return Object.assign({}, ...instances, ...exports);
}

async function load({ slot, parts, apart, blobs }) {
  const found = [];
  for (const [i, part] of parts.entries()) found.push(await transpiled(blobs[i], part));
  slots.set(slot, { parts: found, exports: apart ? null : instantiated(found) });
  return [{}];
}

function play(request) {
  const [part] = slots.get(request.slot).parts;
  const events = flow((imports) => part.instantiate((name) => part.modules.get(name), imports), request);
  return [{ events }];
}

function run({ slot, run, guests, fresh, blobs }) {
  const played = slots.get(slot);
  const exports = (played.exports ??= instantiated(played.parts));
  guests.forEach((guest, i) => exports[`${guest}Load`](blobs[i]));
  try {
    exports[run]();
  } catch (error) {
    played.exports = null;
    return [failure(error)];
  }
  const memories = guests.map((guest) => exports[`${guest}Dump`]());
  if (fresh) played.exports = null;
  return [{}, memories];
}

function failure(error) {
  return { error: `${error?.name}: ${error?.message}`, stack: String(error?.stack) };
}

for (;;) {
  const request = await receive();
  try {
    await send(...(await { load, run, flow: play }[request.op](request)));
  } catch (error) {
    await send({ ...failure(error), broken: true });
  }
}
